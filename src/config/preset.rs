//! The presets that come with the program. A preset never changes under its number.

/// Name and text of every preset.
pub(crate) const PRESETS: [(&str, &str); 2] = [
    ("preset:rest@1", include_str!("presets/rest@1.toml")),
    ("preset:rest-put@1", include_str!("presets/rest-put@1.toml")),
];
