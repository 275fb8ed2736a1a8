//! Which graphics card draws the window.

use eframe::{egui_wgpu, wgpu};
use std::sync::Arc;

/// The setup of the window's device: as usual, but with an adapter of our choice.
#[must_use]
pub fn setup() -> egui_wgpu::WgpuSetup {
    let mut setup = egui_wgpu::WgpuSetupCreateNew::without_display_handle();
    let preference = setup.power_preference;
    setup.native_adapter_selector = Some(Arc::new(move |adapters, surface| {
        let usable = adapters.iter().filter(|adapter| surface.is_none_or(|s| adapter.is_surface_supported(s)));
        // Of equal ones the first, which is the one that its driver's vendor puts first.
        let best = usable.min_by_key(|adapter| {
            let info = adapter.get_info();
            rank(info.device_type, info.backend, preference)
        });
        best.cloned().ok_or_else(|| "no driver for Vulkan, Metal, Direct3D or OpenGL draws on this screen".to_owned())
    }));
    egui_wgpu::WgpuSetup::CreateNew(setup)
}

/// The lower the better: cards by kind, then by interface.
///
/// Drawn by the CPU, OpenGL comes before Vulkan: Mesa's Vulkan of 2022 (22.3) keeps some 0.7 MB of every frame that is drawn,
/// its OpenGL nothing, and neither is quicker.
fn rank(device: wgpu::DeviceType, backend: wgpu::Backend, preference: wgpu::PowerPreference) -> [u8; 2] {
    let saves = preference == wgpu::PowerPreference::LowPower;
    let kind = match device {
        wgpu::DeviceType::DiscreteGpu => u8::from(saves),
        wgpu::DeviceType::IntegratedGpu => u8::from(!saves),
        wgpu::DeviceType::VirtualGpu => 2,
        wgpu::DeviceType::Other => 3,
        wgpu::DeviceType::Cpu => 4,
    };
    let opengl = backend == wgpu::Backend::Gl;
    [kind, u8::from(opengl != (kind == 4))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_comes_before_the_processor_and_vulkan_before_opengl_on_a_card_only() {
        use wgpu::{Backend, DeviceType, PowerPreference};
        let cpu = [(DeviceType::Cpu, Backend::Vulkan), (DeviceType::Cpu, Backend::Gl)];
        let card = [(DeviceType::DiscreteGpu, Backend::Gl), (DeviceType::DiscreteGpu, Backend::Vulkan)];
        let built_in = (DeviceType::IntegratedGpu, Backend::Vulkan);
        let best = |preference, of: &[(DeviceType, Backend)]| *of.iter().min_by_key(|(d, b)| rank(*d, *b, preference)).unwrap();
        let all = [cpu[0], cpu[1], card[0], built_in, card[1]];
        assert_eq!(best(PowerPreference::HighPerformance, &cpu), cpu[1]);
        assert_eq!(best(PowerPreference::HighPerformance, &all), card[1]);
        assert_eq!(best(PowerPreference::LowPower, &all), built_in);
    }
}
