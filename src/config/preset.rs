//! The presets that come with the program. A preset never changes under its number.

/// Name and text of every preset.
pub(crate) const PRESETS: [(&str, &str); 9] = [
    ("preset:rest@1", include_str!("presets/rest@1.toml")),
    ("preset:rest-put@1", include_str!("presets/rest-put@1.toml")),
    ("preset:attrs-snake@1", include_str!("presets/attrs-snake@1.toml")),
    ("preset:attrs-camel@1", include_str!("presets/attrs-camel@1.toml")),
    ("preset:laravel@1", include_str!("presets/laravel@1.toml")),
    ("preset:django-rest@1", include_str!("presets/django-rest@1.toml")),
    ("preset:rails@1", include_str!("presets/rails@1.toml")),
    ("preset:spring-data@1", include_str!("presets/spring-data@1.toml")),
    ("preset:jsonapi@1", include_str!("presets/jsonapi@1.toml")),
];

#[cfg(test)]
mod tests;
