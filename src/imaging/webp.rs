//! WebP files that lose a little, by libwebp.

use super::{Error, Picture, Result};
use libwebp_sys::{
    WEBP_MAX_DIMENSION, WebPConfig, WebPEncode, WebPMemoryWrite, WebPMemoryWriter, WebPMemoryWriterClear, WebPMemoryWriterInit,
    WebPPicture, WebPPictureFree, WebPPictureImportRGB, WebPPictureImportRGBA,
};
use std::ffi::{c_int, c_void};

/// The bytes of a file without notes. `None` where `stops` said to stop.
///
/// # Errors      a side is too long, or there is no memory
pub(super) fn encode(picture: &Picture, quality: u8, opaque: bool, stops: &(dyn Fn() -> bool + Sync)) -> Result<Option<Vec<u8>>> {
    let refused = |what: &str| Error::Encode(what.to_owned());
    let (width, height) = (picture.width(), picture.height());
    if width > WEBP_MAX_DIMENSION || height > WEBP_MAX_DIMENSION {
        return Err(Error::Encode(format!("a WebP file cannot have more than {WEBP_MAX_DIMENSION} pixels a side; choose another format")));
    }
    let samples = if opaque { picture.own_rgb8() } else { picture.own_rgba8().to_vec() };
    let row = (if opaque { 3 } else { 4 } * width) as c_int;
    let mut config = WebPConfig::new().map_err(|()| refused("the WebP encoder is of another version"))?;
    config.quality = f32::from(quality.clamp(1, 100));
    config.method = 4;
    let mut image = WebPPicture::new().map_err(|()| refused("the WebP encoder is of another version"))?;
    image.width = width as c_int;
    image.height = height as c_int;
    image.use_argb = 0;
    let mut watch = stops;
    let mut writer = std::mem::MaybeUninit::<WebPMemoryWriter>::uninit();
    // SAFETY: the samples are `height` rows of `row` bytes; writer, watch and picture outlive the call that uses them, and
    // each is freed once behind it. The bytes are copied before the writer lets them go.
    let bytes = unsafe {
        WebPMemoryWriterInit(writer.as_mut_ptr());
        let mut writer = writer.assume_init();
        image.writer = Some(WebPMemoryWrite);
        image.custom_ptr = (&raw mut writer).cast::<c_void>();
        image.progress_hook = Some(goes_on);
        image.user_data = (&raw mut watch).cast::<c_void>();
        let taken = if opaque {
            WebPPictureImportRGB(&raw mut image, samples.as_ptr(), row)
        } else {
            WebPPictureImportRGBA(&raw mut image, samples.as_ptr(), row)
        };
        let done = taken != 0 && WebPEncode(&raw const config, &raw mut image) != 0;
        let bytes = done.then(|| std::slice::from_raw_parts(writer.mem, writer.size).to_vec());
        WebPPictureFree(&raw mut image);
        WebPMemoryWriterClear(&raw mut writer);
        bytes
    };
    match bytes {
        _ if stops() => Ok(None),
        Some(bytes) => Ok(Some(bytes)),
        None => Err(refused("the WebP encoder gave up, perhaps for want of memory")),
    }
}

/// Asked by the encoder now and then.
extern "C" fn goes_on(_percent: c_int, picture: *const WebPPicture) -> c_int {
    // SAFETY: `encode` put a reference to its closure there, which lives as long as it encodes.
    let stops = unsafe { *(*picture).user_data.cast::<&(dyn Fn() -> bool + Sync)>() };
    c_int::from(!stops())
}
