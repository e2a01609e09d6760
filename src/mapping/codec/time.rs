//! Points in time in the form of an application: `strptime` formats, and local times of a zone.

use jiff::civil::DateTime;
use jiff::fmt::strtime;
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, Zoned};

use super::{CodecError, Law};
use crate::pattern::note_compilation;

/// A text form of points in time.
///
/// The library has no compiled form of a format: it walks the text, which was checked here, once for every value. Zones
/// are looked up here and never again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeFormat {
    format: Box<str>,
    zone: TimeZone,
    law: Law,
}

impl TimeFormat {
    /// Checks a `strptime` format, and the name of a zone: `Europe/Oslo`, `+02:00`, UTC by default.
    ///
    /// # Errors
    ///
    /// What is wrong: an unknown directive or zone, or a format that does not say the date.
    pub fn compile(format: &str, zone: Option<&str>) -> Result<Self, String> {
        note_compilation();
        let zone = zone.map_or(Ok(TimeZone::UTC), time_zone)?;
        let mut found = Self { format: format.into(), zone, law: Law::Lossy };
        let mut law = Law::Canon;
        for sample in SAMPLES {
            let time: Timestamp = sample.parse().map_err(|_| String::from("no such time"))?;
            let text = found.print(time).map_err(|error| format!("`{format}` cannot be written: {error}"))?;
            let back = found.read(&text).map_err(|error| format!("`{format}` cannot be read back: {error}"))?;
            // Dropping what is below a second is normalisation; to drop more is to forget.
            if back.as_second() != time.as_second() {
                law = Law::Lossy;
            }
        }
        if !found.says_offset() && changes_offset(&found.zone) {
            law = Law::Lossy;
        }
        found.law = law;
        Ok(found)
    }

    pub(super) fn class(&self) -> Law {
        self.law
    }

    /// Why the class is [`Law::Lossy`], if it is.
    pub fn forgets(&self) -> Option<&'static str> {
        if self.law != Law::Lossy {
            None
        } else if !self.says_offset() && changes_offset(&self.zone) {
            Some("in a zone with summer time, one hour a year stands for two")
        } else {
            Some("the format leaves out a part of the time")
        }
    }

    pub(super) fn print(&self, time: Timestamp) -> Result<String, jiff::Error> {
        strtime::format(&*self.format, &time.to_zoned(self.zone.clone()))
    }

    /// A local time that occurs twice means its first occurrence; one that is left out, what clocks showed instead.
    pub(super) fn read(&self, text: &str) -> Result<Timestamp, jiff::Error> {
        let parsed = strtime::parse(&*self.format, text)?;
        if parsed.offset().is_some() || parsed.timestamp().is_some() {
            return parsed.to_timestamp();
        }
        let time = match parsed.hour() {
            Some(_) => parsed.to_datetime()?,
            None => DateTime::from(parsed.to_date()?),
        };
        time.to_zoned(self.zone.clone()).map(|zoned: Zoned| zoned.timestamp())
    }

    pub(super) fn wanted(&self) -> CodecError {
        CodecError::wanted(format!("a time in the form `{}`", self.format))
    }

    /// Whether the text itself says how far it is from UTC.
    fn says_offset(&self) -> bool {
        let text = self.print(Timestamp::UNIX_EPOCH).unwrap_or_default();
        strtime::parse(&*self.format, text)
            .is_ok_and(|parsed| parsed.offset().is_some() || parsed.timestamp().is_some())
    }
}

fn time_zone(name: &str) -> Result<TimeZone, String> {
    if name.starts_with(['+', '-']) {
        let offset = strtime::parse("%:z", name).ok().and_then(|parsed| parsed.offset());
        let offset: Option<Offset> = offset.or_else(|| strtime::parse("%z", name).ok()?.offset());
        return offset.map(TimeZone::fixed).ok_or_else(|| format!("`{name}` is not an offset such as `+02:00`"));
    }
    TimeZone::get(name).map_err(|_| format!("`{name}` is not a time zone such as `Europe/Oslo` or `+02:00`"))
}

/// Whether clocks of the zone have been changed in this century: summer time, or a new law.
fn changes_offset(zone: &TimeZone) -> bool {
    Timestamp::from_second(THIS_CENTURY).is_ok_and(|from| {
        let offset = zone.to_offset(from);
        zone.following(from).take(8).any(|change| change.offset() != offset)
    })
}

/// 2000-01-01T00:00:00Z.
const THIS_CENTURY: i64 = 946_684_800;

const SAMPLES: [&str; 3] = ["2026-03-04T05:06:07.5Z", "1999-12-31T23:59:58Z", "2026-11-30T13:00:00Z"];
