//! Tenants told apart: so many and no more.
//!
//! In: a route, and the values of its variables in a request whose credential was accepted. Out: a [`Tenant`] that
//! counts its answers. A tenant that is known is found without a lock and without an allocation; one that is not is
//! taken in while there is room, or instead of one that was not heard of for a day. All others are counted together.

use std::cmp::Ordering as Order;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use prometheus::{GaugeVec, Histogram, HistogramVec, IntCounter, IntCounterVec, IntGaugeVec};

use super::catalogue::entries;
use super::registry::{Maker, observe};
use super::series::Answered;
use super::window::{Event, Provisioning, WINDOW_SECONDS, Window};

/// All tenants of a process.
#[derive(Debug)]
pub struct Tenants {
    vectors: Vectors,
    /// What times are counted from.
    epoch: Instant,
    /// Those named by requests, in the order of [`Tenant::is`].
    named: ArcSwap<Vec<Arc<Tenant>>>,
    /// The tenants that the configuration knows: of routes without variables, and all others of a route together.
    fixed: Mutex<Vec<Arc<Tenant>>>,
    /// Second before which there is no use in looking for one that gives its place away.
    full_until: AtomicU64,
}

#[derive(Debug)]
struct Vectors {
    requests: IntCounterVec,
    duration: HistogramVec,
    last: IntGaugeVec,
    window_requests: IntGaugeVec,
    window_failures: IntGaugeVec,
    quarantine_ratio: GaugeVec,
}

/// What is counted for one tenant.
#[derive(Debug)]
pub struct Tenant {
    route: Arc<str>,
    values: Vec<String>,
    /// The values in one, or [`OTHER`].
    label: String,
    answers: [IntCounter; Answered::ALL.len()],
    duration: Histogram,
    epoch: Instant,
    /// Second of the last answer.
    last: AtomicU64,
    /// None for all others together: nobody has their thresholds.
    window: Option<Window>,
}

impl Tenant {
    /// What it is called, if its route tells tenants apart.
    pub fn name(&self) -> Option<&str> {
        Some(self.label.as_str()).filter(|label| !label.is_empty())
    }
}

/// The tenants of one route.
#[derive(Clone, Debug)]
pub struct RouteTenants {
    route: Arc<str>,
    /// Who it is if the route has no variables, or if there is no room.
    fallback: Arc<Tenant>,
    has_variables: bool,
    /// Tenants that may be told apart, on all routes together.
    max: usize,
}

impl Tenants {
    pub(super) fn new(make: &Maker) -> prometheus::Result<Self> {
        let vectors = Vectors {
            requests: make.counter_vec(&entries::TENANT_REQUESTS)?,
            duration: make.histogram_vec(&entries::TENANT_DURATION)?,
            last: make.gauge_vec(&entries::TENANT_LAST)?,
            window_requests: make.gauge_vec(&entries::WINDOW_REQUESTS)?,
            window_failures: make.gauge_vec(&entries::WINDOW_FAILURES)?,
            quarantine_ratio: make.ratio_vec(&entries::QUARANTINE_RATIO)?,
        };
        Ok(Self {
            vectors,
            epoch: Instant::now(),
            named: ArcSwap::default(),
            fixed: Mutex::default(),
            full_until: AtomicU64::new(0),
        })
    }

    /// The tenants of a route of the configuration. What was counted under an earlier one goes on.
    pub fn of_route(&self, route: &Arc<str>, has_variables: bool, max: usize) -> RouteTenants {
        let label = if has_variables { OTHER } else { "" };
        let mut fixed = self.fixed();
        let known = fixed.iter().find(|tenant| tenant.route == *route && tenant.label == label).cloned();
        let fallback = known.unwrap_or_else(|| {
            let window = (!has_variables).then(Window::default);
            let tenant = Arc::new(self.tenant(Arc::clone(route), Vec::new(), label.to_owned(), window));
            fixed.push(Arc::clone(&tenant));
            tenant
        });
        RouteTenants { route: Arc::clone(route), fallback, has_variables, max }
    }

    /// The tenant of a request, if it is told apart already; otherwise all others of the route.
    pub fn find<'v>(&self, route: &RouteTenants, values: &(impl Iterator<Item = &'v str> + Clone)) -> Arc<Tenant> {
        if route.has_variables {
            let named = self.named.load();
            if let Ok(index) = named.binary_search_by(|tenant| tenant.is(&route.route, values.clone()))
                && let Some(tenant) = named.get(index)
            {
                return Arc::clone(tenant);
            }
        }
        Arc::clone(&route.fallback)
    }

    /// The same; one that is not told apart yet is from here on, if there is room. For requests whose credential was
    /// accepted, and no others: a stranger must not take the places.
    pub fn take_in<'v>(&self, route: &RouteTenants, values: impl Iterator<Item = &'v str> + Clone) -> Arc<Tenant> {
        let found = self.find(route, &values);
        if !route.has_variables || !Arc::ptr_eq(&found, &route.fallback) || route.max == 0 {
            return found;
        }
        self.add(route, values, seconds(self.epoch.elapsed())).unwrap_or(found)
    }

    fn add<'v>(
        &self,
        route: &RouteTenants,
        values: impl Iterator<Item = &'v str> + Clone,
        now: u64,
    ) -> Option<Arc<Tenant>> {
        if self.named.load().len() >= route.max && now < self.full_until.load(Ordering::Relaxed) {
            return None;
        }
        let _adding = self.fixed();
        let mut named = Vec::clone(&self.named.load());
        let index = match named.binary_search_by(|tenant| tenant.is(&route.route, values.clone())) {
            Ok(index) => return named.get(index).cloned(),
            Err(index) => index,
        };
        let values: Vec<String> = values.map(str::to_owned).collect();
        let label = values.join("/");
        let tenant = Arc::new(self.tenant(Arc::clone(&route.route), values, label, Some(Window::default())));
        tenant.last.store(now, Ordering::Relaxed);
        named.insert(index, Arc::clone(&tenant));
        if named.len() > route.max {
            let Some(idle) = longest_idle(&named, now) else {
                self.full_until.store(now + LOOK_AGAIN_SECONDS, Ordering::Relaxed);
                self.vectors.forget(&tenant);
                return None;
            };
            self.vectors.forget(&named.remove(idle));
        }
        self.named.store(Arc::new(named));
        Some(tenant)
    }

    /// A configuration is in force: what it no longer knows, or allows, is forgotten.
    pub fn keep_to(&self, routes: &[Arc<str>], max: usize) {
        let mut fixed = self.fixed();
        let mut named = Vec::clone(&self.named.load());
        let mut gone = Vec::new();
        gone.extend(fixed.extract_if(.., |tenant| !routes.contains(&tenant.route)));
        gone.extend(named.extract_if(.., |tenant| !routes.contains(&tenant.route)));
        while named.len() > max {
            let idlest = named.iter().enumerate().min_by_key(|(_, tenant)| tenant.last.load(Ordering::Relaxed));
            let Some((index, _)) = idlest else { break };
            gone.push(named.remove(index));
        }
        self.named.store(Arc::new(named));
        for tenant in gone {
            self.vectors.forget(&tenant);
        }
    }

    /// Sets the gauges that follow from the time.
    pub(super) fn bring_up_to_date(&self) {
        let fixed = self.fixed();
        let now = seconds(self.epoch.elapsed());
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        for tenant in self.named.load().iter().chain(fixed.iter()) {
            // By the clock of this moment, which may have been set since.
            let last = since_1970.saturating_sub(now.saturating_sub(tenant.last.load(Ordering::Relaxed)));
            self.vectors.show(tenant, last, now);
        }
    }

    fn tenant(&self, route: Arc<str>, values: Vec<String>, label: String, window: Option<Window>) -> Tenant {
        let names: [&str; 2] = [&route, &label];
        let answers = Answered::ALL.map(|answered| {
            let [route, label] = names;
            self.vectors.requests.with_label_values(&[route, label, answered.as_str()])
        });
        let duration = self.vectors.duration.with_label_values(&names);
        Tenant { answers, duration, route, values, label, epoch: self.epoch, last: AtomicU64::new(0), window }
    }

    fn fixed(&self) -> MutexGuard<'_, Vec<Arc<Tenant>>> {
        self.fixed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tenant {
    /// Where this one stands beside a route and values.
    fn is<'v>(&self, route: &str, values: impl Iterator<Item = &'v str>) -> Order {
        let (mut order, mut own) = ((*self.route).cmp(route), self.values.iter());
        for value in values {
            order = order.then_with(|| own.next().map_or(Order::Less, |own| own.as_str().cmp(value)));
        }
        order.then_with(|| if own.next().is_some() { Order::Greater } else { Order::Equal })
    }

    /// Counts an answer.
    pub(super) fn answered(&self, kind: Provisioning, status: u16, ended: Instant, duration: Duration) {
        if let Some(counter) = self.answers.get(Answered::of(status) as usize) {
            counter.inc();
        }
        observe(&self.duration, duration);
        let now = seconds(ended.saturating_duration_since(self.epoch));
        self.last.store(now, Ordering::Relaxed);
        if let Some(window) = &self.window
            && let Some(event) = Event::of(kind, status)
        {
            window.record(event, now);
        }
    }
}

impl Vectors {
    fn show(&self, tenant: &Tenant, last: u64, now: u64) {
        let names: [&str; 2] = [&tenant.route, &tenant.label];
        self.last.with_label_values(&names).set(integer(last));
        if let Some(window) = &tenant.window {
            let sums = window.sums(now);
            self.window_requests.with_label_values(&names).set(integer(sums.events));
            self.window_failures.with_label_values(&names).set(integer(sums.failed()));
            self.quarantine_ratio.with_label_values(&names).set(sums.quarantine_ratio());
        }
    }

    fn forget(&self, tenant: &Tenant) {
        if tenant.label == OTHER && !tenant.values.is_empty() {
            // Somebody is really called so, and shares the series of all others.
            return;
        }
        let names: [&str; 2] = [&tenant.route, &tenant.label];
        let [route, label] = names;
        for answered in Answered::ALL {
            // What is not there need not be removed.
            let _ = self.requests.remove_label_values(&[route, label, answered.as_str()]);
        }
        let _ = self.duration.remove_label_values(&names);
        let _ = self.last.remove_label_values(&names);
        let _ = self.window_requests.remove_label_values(&names);
        let _ = self.window_failures.remove_label_values(&names);
        let _ = self.quarantine_ratio.remove_label_values(&names);
    }
}

/// Who was silent longest, if that was long enough.
fn longest_idle(tenants: &[Arc<Tenant>], now: u64) -> Option<usize> {
    let last = |tenant: &Arc<Tenant>| tenant.last.load(Ordering::Relaxed);
    let (index, tenant) = tenants.iter().enumerate().min_by_key(|(_, tenant)| last(tenant))?;
    (now.saturating_sub(last(tenant)) >= WINDOW_SECONDS).then_some(index)
}

fn seconds(duration: Duration) -> u64 {
    duration.as_secs()
}

fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The label of all tenants that are not told apart.
const OTHER: &str = "other";

/// How long nobody is looked for after nobody was found.
const LOOK_AGAIN_SECONDS: u64 = 60;

#[cfg(test)]
mod tests {
    use prometheus::Registry;

    use super::*;

    fn tenants() -> (Tenants, Registry) {
        let make = Maker { registry: Registry::new() };
        (Tenants::new(&make).unwrap(), make.registry)
    }

    fn shown(tenants: &Tenants, registry: &Registry) -> String {
        tenants.bring_up_to_date();
        prometheus::TextEncoder::new().encode_to_string(&registry.gather()).unwrap()
    }

    fn answer(tenant: &Tenant, status: u16) {
        tenant.answered(Provisioning::Write, status, tenant.epoch, Duration::from_millis(3));
    }

    fn route() -> Arc<str> {
        "/scim/{tenant}".into()
    }

    #[test]
    fn so_many_tenants_are_told_apart_and_no_more() {
        for max in [0, 1, 3] {
            let (tenants, registry) = tenants();
            let of_route = tenants.of_route(&route(), true, max);
            for number in 0..max + 5 {
                let name = format!("t{number}");
                answer(&tenants.take_in(&of_route, [name.as_str()].into_iter()), 201);
                // Known ones are found again.
                answer(&tenants.take_in(&of_route, [name.as_str()].into_iter()), 409);
            }
            let text = shown(&tenants, &registry);
            let told = |outcome: &str, name: &str, count: usize| {
                format!(
                    "requests_total{{outcome=\"{outcome}\",route=\"/scim/{{tenant}}\",tenant=\"{name}\"}} {count}\n"
                )
            };
            for number in 0..max {
                assert!(text.contains(&told("rejected", &format!("t{number}"), 1)), "{max}: {text}");
            }
            assert!(text.contains(&told("ok", "other", 5)), "{max}: {text}");
            assert!(!text.contains(&format!("tenant=\"t{max}\"")), "{max}: {text}");
            assert_eq!(text.matches("scimshim_tenant_quarantine_ratio{").count(), max);
        }
    }

    #[test]
    fn to_look_for_a_tenant_makes_none() {
        let (tenants, registry) = tenants();
        let of_route = tenants.of_route(&route(), true, 10);
        answer(&tenants.find(&of_route, &["stranger"].into_iter()), 401);
        let text = shown(&tenants, &registry);
        assert!(!text.contains("stranger") && text.contains("tenant=\"other\"} 1\n"), "{text}");
    }

    #[test]
    fn a_silent_tenant_gives_its_place_away_after_a_day() {
        let (tenants, registry) = tenants();
        let of_route = tenants.of_route(&route(), true, 2);
        let add = |name: &str, now: u64| tenants.add(&of_route, [name].into_iter(), now).is_some();
        assert!(add("a", 0) && add("b", 100) && !add("c", 200));
        // Nobody is looked for at once again, although by then somebody could go.
        tenants.full_until.store(WINDOW_SECONDS + 50, Ordering::Relaxed);
        assert!(!add("c", WINDOW_SECONDS + 49));
        assert!(add("c", WINDOW_SECONDS + 50));
        let text = shown(&tenants, &registry);
        assert!(
            !text.contains("tenant=\"a\"") && text.contains("tenant=\"b\"") && text.contains("tenant=\"c\""),
            "{text}"
        );
    }

    #[test]
    fn a_new_configuration_keeps_what_it_still_knows() {
        let (tenants, registry) = tenants();
        let (kept, gone): (Arc<str>, Arc<str>) = (route(), "/old/{tenant}".into());
        for route in [&kept, &gone] {
            let of_route = tenants.of_route(route, true, 10);
            for (name, last) in [("a", 5), ("b", 3), ("c", 7)] {
                let tenant = tenants.take_in(&of_route, [name].into_iter());
                answer(&tenant, 200);
                tenant.last.store(last, Ordering::Relaxed);
            }
        }
        tenants.keep_to(std::slice::from_ref(&kept), 2);
        let text = shown(&tenants, &registry);
        assert!(!text.contains("/old/") && !text.contains("tenant=\"b\""), "{text}");
        // What was counted goes on.
        let again = tenants.of_route(&kept, true, 2);
        answer(&tenants.take_in(&again, ["a"].into_iter()), 200);
        let text = shown(&tenants, &registry);
        assert!(text.contains("{outcome=\"ok\",route=\"/scim/{tenant}\",tenant=\"a\"} 2\n"), "{text}");
    }

    #[test]
    fn values_are_compared_one_by_one() {
        let (tenants, _) = tenants();
        let of_route = tenants.of_route(&"/scim/{a}/{b}".into(), true, 10);
        let one = tenants.take_in(&of_route, ["x", "yz"].into_iter());
        let two = tenants.take_in(&of_route, ["xy", "z"].into_iter());
        assert!(!Arc::ptr_eq(&one, &two) && (one.label.as_str(), two.label.as_str()) == ("x/yz", "xy/z"));
        assert!(Arc::ptr_eq(&one, &tenants.find(&of_route, &["x", "yz"].into_iter())));
        let without = tenants.of_route(&"/scim".into(), false, 0);
        assert_eq!(tenants.take_in(&without, std::iter::empty()).label, "");
    }

    #[test]
    fn the_window_is_shown_as_sums_and_a_share() {
        let (tenants, registry) = tenants();
        let sole = tenants.take_in(&tenants.of_route(&"/scim".into(), false, 0), std::iter::empty());
        for _ in 0..500 {
            answer(&sole, 503);
            answer(&sole, 201);
        }
        let text = shown(&tenants, &registry);
        for line in [
            "scimshim_tenant_window_requests{route=\"/scim\",tenant=\"\"} 1000\n",
            "scimshim_tenant_window_failures{route=\"/scim\",tenant=\"\"} 500\n",
            "scimshim_tenant_quarantine_ratio{route=\"/scim\",tenant=\"\"} 0.1\n",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }
}
