//! Memory of the process and of the machine.

/// Makes the C allocator keep large buffers instead of giving them back to the system after every operation.
///
/// Each fresh mapping is faulted in page by page, which costs an element-wise operation more than its arithmetic.
/// [`give_back`] returns what is free when a stage ends. Call once, before threads start.
pub fn tune_allocator() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: plain settings of the allocator.
    unsafe {
        libc::mallopt(libc::M_MMAP_MAX, 0);
        libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
        // Buffers are allocated by the worker and freed by others; with one arena they meet again.
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}

/// Returns free memory to the system.
pub fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: has no preconditions.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Bytes that programs can have without swapping; 0 where the system does not tell.
pub fn available_bytes() -> u64 {
    let Ok(mut system) = sysinfo::System::new() else { return 0 };
    system.refresh_memory();
    let within_group = system.cgroup_limits().map_or(u64::MAX, |c| c.free_memory);
    system.available_memory().min(within_group)
}

/// Bytes that the machine has; `None` where the system does not tell.
pub fn total_bytes() -> Option<u64> {
    let mut system = sysinfo::System::new().ok()?;
    system.refresh_memory();
    Some(system.total_memory()).filter(|bytes| *bytes > 0)
}

/// The most memory that this process has had resident so far, in bytes; 0 where the system does not tell.
pub fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    line.and_then(|l| l.trim().trim_end_matches("kB").trim().parse::<u64>().ok()).map_or(0, |kb| kb * 1024)
}
