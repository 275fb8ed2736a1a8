//! Memory of the process, of the machine and of devices.

use candle_core::Device;
use std::path::Path;

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

/// Memory in bytes; 0 where the system does not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// What can be had without swapping.
    pub free: u64,
    pub total: u64,
}

/// The machine's memory, or what is left of it for this process within its control groups.
pub fn of_system() -> Memory {
    let Ok(mut system) = sysinfo::System::new() else { return Memory::default() };
    system.refresh_memory();
    let machine = Memory { free: system.available_memory(), total: system.total_memory() };
    let groups = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    within_groups(Path::new("/sys/fs/cgroup"), &groups, machine)
}

/// The memory that a device computes with.
pub fn of_device(device: &Device) -> Memory {
    match device {
        #[cfg(feature = "cuda")]
        Device::Cuda(cuda) => {
            let asked = cuda.cuda_stream().context().bind_to_thread();
            let told = asked.and_then(|()| candle_core::cuda_backend::cudarc::driver::result::mem_get_info());
            told.map_or(Memory::default(), |(free, total)| Memory { free: free as u64, total: total as u64 })
        }
        // Metal shares the system's.
        _ => of_system(),
    }
}

/// Bytes that programs can have without swapping; 0 where the system does not tell.
pub fn available_bytes() -> u64 {
    of_system().free
}

/// Narrowed by every group above this process that has a limit. Pages of files count as free: the system takes them back.
///
/// `root` is where groups are mounted, `groups` the text of `/proc/self/cgroup`.
fn within_groups(root: &Path, groups: &str, machine: Memory) -> Memory {
    let mut left = machine;
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        // The second version has one tree, the first one a tree per controller.
        let (tree, limit, usage, prefix) = match controllers {
            "" => (root.to_owned(), "memory.max", "memory.current", ""),
            c if c.split(',').any(|c| c == "memory") => (root.join("memory"), "memory.limit_in_bytes", "memory.usage_in_bytes", "total_"),
            _ => continue,
        };
        let path = Path::new(path.trim_start_matches('/'));
        // Inside a container the path may be the one outside; the root is then the container's own group.
        for group in path.ancestors() {
            let folder = tree.join(group);
            let number = |name: &str| std::fs::read_to_string(folder.join(name)).ok()?.trim().parse::<u64>().ok();
            let (Some(limit), Some(usage)) = (number(limit), number(usage)) else { continue };
            if limit >= machine.total {
                continue;
            }
            let stat = std::fs::read_to_string(folder.join("memory.stat")).unwrap_or_default();
            let files = |name: &str| {
                let line = stat.lines().find_map(|l| l.strip_prefix(prefix)?.strip_prefix(name)?.strip_prefix(' '));
                line.and_then(|n| n.trim().parse::<u64>().ok()).unwrap_or(0)
            };
            let used = usage.saturating_sub(files("inactive_file") + files("active_file"));
            left = Memory { free: left.free.min(limit.saturating_sub(used)), total: left.total.min(limit) };
        }
    }
    left
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

/// Bytes that may still be written to the disk of a folder; `None` where the system does not tell.
pub fn disk_free_bytes(folder: &Path) -> Option<u64> {
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt as _;
        let path = std::ffi::CString::new(folder.as_os_str().as_bytes()).ok()?;
        let mut found = std::mem::MaybeUninit::<libc::statvfs>::uninit();
        // SAFETY: the path ends with a zero, and the answer is read only where it was given.
        let found = unsafe { (libc::statvfs(path.as_ptr(), found.as_mut_ptr()) == 0).then(|| found.assume_init()) }?;
        #[allow(clippy::useless_conversion, clippy::unnecessary_cast, reason = "the fields are 32 bits wide on some systems")]
        Some((found.f_bavail as u64).saturating_mul(found.f_frsize as u64))
    }
    #[cfg(not(unix))]
    {
        let _ = folder;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_of_groups_count_and_pages_of_files_are_free() {
        let root = tempfile::tempdir().unwrap();
        let group = |path: &str, files: &[(&str, &str)]| {
            let folder = root.path().join(path);
            std::fs::create_dir_all(&folder).unwrap();
            files.iter().for_each(|(name, text)| std::fs::write(folder.join(name), text).unwrap());
        };
        let machine = Memory { free: 9000, total: 10_000 };
        let stat = "cache 1\ninactive_file 300\nactive_file 200\ntotal_inactive_file 600\ntotal_active_file 400\n";
        group("a/b", &[("memory.max", "max\n"), ("memory.current", "900\n"), ("memory.stat", stat)]);
        group("a", &[("memory.max", "4000\n"), ("memory.current", "1500\n"), ("memory.stat", stat)]);
        group("memory/x", &[("memory.limit_in_bytes", "3000"), ("memory.usage_in_bytes", "2500"), ("memory.stat", stat)]);
        group("memory", &[("memory.limit_in_bytes", "9223372036854771712"), ("memory.usage_in_bytes", "1")]);
        let told = |groups: &str| within_groups(root.path(), groups, machine);
        assert_eq!(told("0::/a/b\n"), Memory { free: 3000, total: 4000 }, "the upper group's limit holds below");
        assert_eq!(told("4:memory:/x\n0::/\n"), Memory { free: 1500, total: 3000 }, "the first version");
        assert_eq!(told("4:cpu,cpuacct:/x\n0::/elsewhere\n"), machine);
        assert_eq!(told("nonsense"), machine);
    }
}
