//! Makes the metrics of the catalogue, in one registry of their own.
//!
//! In: entries of the catalogue. Out: metrics that are registered. Series whose labels are words are made at once;
//! [`Known::known`] makes those for which the configuration has the rest.

use prometheus::core::{Collector, MetricVec, MetricVecBuilder};
use prometheus::{
    GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};

use super::catalogue::{Entry, Kind};

/// Registers one metric after the other.
pub(super) struct Maker {
    pub(super) registry: Registry,
}

impl Maker {
    pub(super) fn counter(&self, entry: &Entry) -> prometheus::Result<IntCounter> {
        self.register(IntCounter::with_opts(opts(entry))?)
    }

    pub(super) fn counter_vec(&self, entry: &Entry) -> prometheus::Result<IntCounterVec> {
        self.register_vec(IntCounterVec::new(opts(entry), &entry.label_names())?, entry)
    }

    pub(super) fn gauge(&self, entry: &Entry) -> prometheus::Result<IntGauge> {
        self.register(IntGauge::with_opts(opts(entry))?)
    }

    pub(super) fn gauge_vec(&self, entry: &Entry) -> prometheus::Result<IntGaugeVec> {
        self.register_vec(IntGaugeVec::new(opts(entry), &entry.label_names())?, entry)
    }

    pub(super) fn ratio_vec(&self, entry: &Entry) -> prometheus::Result<GaugeVec> {
        self.register_vec(GaugeVec::new(opts(entry), &entry.label_names())?, entry)
    }

    pub(super) fn histogram_vec(&self, entry: &Entry) -> prometheus::Result<HistogramVec> {
        let buckets = match entry.kind {
            Kind::Histogram(buckets) => buckets.to_vec(),
            Kind::Counter | Kind::Gauge => Vec::new(),
        };
        let opts = HistogramOpts::from(opts(entry)).buckets(buckets);
        self.register_vec(HistogramVec::new(opts, &entry.label_names())?, entry)
    }

    /// Registers a metric that was made elsewhere.
    pub(super) fn register<C: Collector + Clone + 'static>(&self, metric: C) -> prometheus::Result<C> {
        self.registry.register(Box::new(metric.clone()))?;
        Ok(metric)
    }

    fn register_vec<T: MetricVecBuilder + 'static>(
        &self,
        metric: MetricVec<T>,
        entry: &Entry,
    ) -> prometheus::Result<MetricVec<T>> {
        metric.known(entry, &[]);
        self.register(metric)
    }
}

/// Makes series before they are needed.
pub(crate) trait Known {
    /// Makes the series of an entry that are known with these labels; none if further labels are unknown.
    fn known(&self, entry: &Entry, labels: &[(&str, &str)]);
}

impl<T: MetricVecBuilder> Known for MetricVec<T> {
    fn known(&self, entry: &Entry, labels: &[(&str, &str)]) {
        for values in entry.combinations(labels) {
            drop(self.with_label_values(&values));
        }
    }
}

pub(super) fn opts(entry: &Entry) -> Opts {
    Opts::new(entry.full_name(), entry.help)
}

/// Observes seconds.
pub(crate) fn observe(histogram: &Histogram, duration: std::time::Duration) {
    histogram.observe(duration.as_secs_f64());
}
