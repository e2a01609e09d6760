//! The catalogue of repairs: every departure from the RFCs that is put right, who makes it, and how we know.
//!
//! One entry per repair. A repair changes the structure of a request, never a value; it goes by the shape that was
//! sent and the type in the schema; and it is there only where the sender cannot have meant anything else. The page
//! `docs/repairs.md` is rendered from this file.

use std::fmt::Write;

use crate::scim::filter::FilterRepair;

/// A named correction of one habit on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Repair {
    /// `"op": "Replace"`.
    OpCase,
    /// `"operations": [...]`.
    OperationsCase,
    /// `"Operations": []`.
    NoOperations,
    /// `"path": ""` or `"path": null`.
    EmptyPath,
    /// No `schemas`, or not the one of the resource.
    SchemasMissing,
    /// URNs of SCIM 1.1.
    LegacySchema,
    /// A URN in `schemas` that is no schema of this resource.
    UnknownSchema,
    /// An extension in the body whose URN does not stand in `schemas`.
    ExtensionNotListed,
    /// `"name.givenName": ..` or `"urn:..:department": ..` as a key.
    FlatKey,
    /// `department` or `manager` outside the extension.
    BareExtensionAttribute,
    /// A PATCH path that is the URN of a schema.
    SchemaAsPath,
    /// `"active": "False"`.
    BooleanAsString,
    /// `"size": "3"`.
    NumberAsString,
    /// `"displayName": ["x"]`.
    SingleValueInList,
    /// `"displayName": {"value": "x"}`.
    ObjectForScalar,
    /// `"manager": "u-1"`, `"emails": ["a@b.example"]`.
    ScalarForObject,
    /// `"emails": {"value": ..}` without the list.
    SingleElementBare,
    /// `"roles": [{"value": "{\"value\": ..}"}]`.
    DocumentAsValue,
    /// `displayName` in an element that has `display`.
    DisplayNameForDisplay,
    /// `""` or `{}` for "no value".
    EmptyAsUnassigned,
    /// The same element twice in one list.
    DuplicateElement,
    /// `remove` of a list with a value.
    RemoveWithValue,
    /// `id`, `meta`, `schemas` or `groups` in a PATCH object.
    ReadOnlyRestated,
    /// A name that no schema knows.
    UnknownAttribute,
    /// `userName eq bob`.
    FilterUnquoted,
    /// `userName eq 'bob'`, or with typographic quotes.
    FilterQuotes,
    /// `primary eq "True"`, `size eq "3"`.
    FilterLiteralType,
}

/// What is known about a repair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Which one it is.
    pub repair: Repair,
    /// Kebab-case name: the metric label.
    pub name: &'static str,
    /// Which clients send it.
    pub sender: &'static str,
    /// Where that is documented or was observed.
    pub evidence: &'static [Evidence],
    /// Ids of the wire cases in `tests/wire` that need it.
    pub cases: &'static [&'static str],
    /// What it changes.
    pub change: &'static str,
}

/// A vendor document or a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// Its address.
    pub url: &'static str,
    /// For a thread, the month of the report; for a document, which may change, the month of this entry.
    pub seen: &'static str,
}

/// Repairs made in one request, each with its number of occurrences, in order of first occurrence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repairs(Vec<(Repair, u64)>);

impl Repairs {
    /// Counts one occurrence.
    pub fn record(&mut self, repair: Repair) {
        match self.0.iter_mut().find(|(known, _)| *known == repair) {
            Some((_, count)) => *count += 1,
            None => self.0.push((repair, 1)),
        }
    }

    /// Counts what another list counted as well.
    pub fn merge(&mut self, other: &Self) {
        for (repair, count) in other.iter() {
            match self.0.iter_mut().find(|(known, _)| *known == repair) {
                Some((_, total)) => *total += count,
                None => self.0.push((repair, count)),
            }
        }
    }

    /// Every repair made, with its count.
    pub fn iter(&self) -> impl Iterator<Item = (Repair, u64)> + '_ {
        self.0.iter().copied()
    }

    /// Whether the request needed none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a repair was made.
    pub fn contains(&self, repair: Repair) -> bool {
        self.0.iter().any(|(known, _)| *known == repair)
    }
}

impl From<FilterRepair> for Repair {
    fn from(repair: FilterRepair) -> Self {
        match repair {
            FilterRepair::UnquotedValue => Self::FilterUnquoted,
            FilterRepair::SingleQuotes | FilterRepair::TypographicQuotes => Self::FilterQuotes,
            FilterRepair::StringBoolean | FilterRepair::StringNumber => Self::FilterLiteralType,
        }
    }
}

impl Repair {
    /// Every repair, in the order of the page.
    pub const ALL: [Self; 27] = [
        Self::OpCase,
        Self::OperationsCase,
        Self::NoOperations,
        Self::EmptyPath,
        Self::SchemasMissing,
        Self::LegacySchema,
        Self::UnknownSchema,
        Self::ExtensionNotListed,
        Self::FlatKey,
        Self::BareExtensionAttribute,
        Self::SchemaAsPath,
        Self::BooleanAsString,
        Self::NumberAsString,
        Self::SingleValueInList,
        Self::ObjectForScalar,
        Self::ScalarForObject,
        Self::SingleElementBare,
        Self::DocumentAsValue,
        Self::DisplayNameForDisplay,
        Self::EmptyAsUnassigned,
        Self::DuplicateElement,
        Self::RemoveWithValue,
        Self::ReadOnlyRestated,
        Self::UnknownAttribute,
        Self::FilterUnquoted,
        Self::FilterQuotes,
        Self::FilterLiteralType,
    ];

    /// The kebab-case name, as in metrics and logs.
    pub fn name(self) -> &'static str {
        self.entry().name
    }

    /// What is known about it.
    pub fn entry(self) -> &'static Entry {
        // The table has one row per repair, in the order of `ALL`; a test holds it to that.
        let [first, ..] = &ENTRIES;
        ENTRIES.get(self as usize).unwrap_or(first)
    }
}

/// The page `docs/repairs.md`.
pub fn render() -> String {
    let mut page = String::from(PREFACE);
    for repair in Repair::ALL {
        let Entry { repair: _, name, sender, evidence, cases, change } = repair.entry();
        // Writing to a string cannot fail.
        let _ = write!(page, "\n### {name}\n\n{change}\n\n* Sent by: {sender}\n");
        for Evidence { url, seen } in *evidence {
            let _ = writeln!(page, "* Evidence: <{url}> ({seen})");
        }
        if !cases.is_empty() {
            let _ = writeln!(page, "* Wire cases: {}", cases.join(", "));
        }
    }
    page.push_str("\n## Readings\n\n");
    page.push_str(READINGS);
    page
}

const PREFACE: &str = "# Repairs

Clients depart from RFC 7643 and RFC 7644 in ways that are well known and cannot be misread. scimshim puts them right
before anything else looks at the request. A repair changes the structure of a request, never a value; it goes by the
shape that was sent and the type that the schema gives the attribute, never by who seems to be calling; it is always on.
Each one is counted under its name in the metric `scimshim_repairs_total`; `scimshim explain` names those of a request.

The date behind a thread is the month of the report; behind a document, which may change, the month of the entry.

This page is rendered from `src/dialect/catalogue.rs`; `BLESS=1 cargo test --lib repairs_page` rewrites it.

## Repairs by name
";

const READINGS: &str = "Some requests are correct, but servers disagree about what they ask for. These are not counted, \
because nothing is changed
in the request; they are how a PATCH is applied.

| request | reading | wire cases |
|---|---|---|
| add or replace through a filter that matches nothing | the element is made if the filter is a conjunction of `eq`, \
otherwise 400 `noTarget` | valuepath-create-s01 to s08 |
| remove of what is not there | succeeds | valuepath-update-s06, group-members-remove-s06 |
| removing the `value` of an element | removes the element | null-and-empty-s05 |
| another `value` for `manager` | what described the old one is forgotten | manager-s03 |
| replace of a complex attribute | merges; null clears a sub-attribute | null-and-empty-s03, multi-op-order-s07 |
| `primary: true` on one element | the others lose it | |
| null, `[]`, `\"\"` | the attribute becomes unassigned; 400 `invalidValue` if it is required | null-and-empty-s01 to s10 |
";

const ENTRA_COMPATIBILITY: Evidence = Evidence {
    url: "https://learn.microsoft.com/en-us/entra/identity/app-provisioning/application-provisioning-config-problem-scim-compatibility",
    seen: "2026-11",
};
const ENTRA_TUTORIAL: Evidence = Evidence {
    url: "https://learn.microsoft.com/en-us/entra/identity/app-provisioning/use-scim-to-provision-users-and-groups",
    seen: "2026-11",
};
const ENTRA_CUSTOM: Evidence = Evidence {
    url: "https://learn.microsoft.com/en-us/entra/identity/app-provisioning/customize-application-attributes",
    seen: "2026-11",
};
const ENTRA_REFERENCE: Evidence = Evidence { url: "https://github.com/AzureAD/SCIMReferenceCode", seen: "2026-11" };
const ENTRA_VALIDATION: Evidence = Evidence {
    url: "https://github.com/AzureAD/SCIMReferenceCode/blob/805b036f14b29c7234d0b19426df892eba7567e4/Microsoft.SCIM.LogicAppValidationTemplate/StandardLogicApp/SCIM-Validation-Test-Overview.md",
    seen: "2026-11",
};
const AZURE_DOCS_42220: Evidence =
    Evidence { url: "https://github.com/MicrosoftDocs/azure-docs/issues/42220", seen: "2019-11" };
const AUTHENTIK_7460: Evidence =
    Evidence { url: "https://github.com/goauthentik/authentik/issues/7460", seen: "2023-11" };
const AUTHENTIK_11249: Evidence =
    Evidence { url: "https://github.com/goauthentik/authentik/issues/11249", seen: "2024-09" };
const OKTA_GUIDE: Evidence =
    Evidence { url: "https://developer.okta.com/docs/api/openapi/okta-scim/guides/scim-20", seen: "2026-11" };
const RFC_PATCH: Evidence = Evidence { url: "https://www.rfc-editor.org/rfc/rfc7644#section-3.5.2", seen: "2026-11" };
const RFC_FILTER: Evidence =
    Evidence { url: "https://www.rfc-editor.org/rfc/rfc7644#section-3.4.2.2", seen: "2026-11" };
/// The catalogue, in the order of [`Repair::ALL`].
static ENTRIES: [Entry; 27] = [
    Entry {
        repair: Repair::OpCase,
        name: "op-case",
        sender: "Entra ID without the flag aadOptscim062020",
        evidence: &[ENTRA_COMPATIBILITY, ENTRA_TUTORIAL],
        cases: &["op-casing-s01", "op-casing-s02", "op-casing-s03", "op-casing-s04", "op-casing-s05"],
        change: "`op` is compared without regard to case.",
    },
    Entry {
        repair: Repair::OperationsCase,
        name: "operations-case",
        sender: "scripts and test tools written against Entra's shapes",
        evidence: &[Evidence { url: "https://github.com/ssoready/ssoready/pull/182", seen: "2024-10" }],
        cases: &[],
        change: "`operations` is read as `Operations`; attribute names have no case (RFC 7643 2.1).",
    },
    Entry {
        repair: Repair::NoOperations,
        name: "no-operations",
        sender: "Microsoft's SCIM validator",
        evidence: &[
            Evidence { url: "https://github.com/scimmyjs/scimmy/issues/59", seen: "2024-10" },
            Evidence { url: "https://github.com/simpleidserver/SimpleIdServer/issues/418", seen: "2023-02" },
        ],
        cases: &["errors-patch-s09"],
        change: "An empty `Operations` succeeds and changes nothing.",
    },
    Entry {
        repair: Repair::EmptyPath,
        name: "empty-path",
        sender: "clients that serialise an unset path",
        evidence: &[RFC_PATCH],
        cases: &[],
        change: "A `path` that is null or empty counts as missing.",
    },
    Entry {
        repair: Repair::SchemasMissing,
        name: "schemas-missing",
        sender: "authentik, and others that drop defaults",
        evidence: &[
            AUTHENTIK_7460,
            Evidence { url: "https://github.com/Infisical/infisical/issues/6552", seen: "2026-05" },
        ],
        cases: &["create-s07", "create-s10", "errors-patch-s11"],
        change: "A body without `schemas`, or without the URN of its own resource type, is taken for what its \
                         endpoint serves.",
    },
    Entry {
        repair: Repair::LegacySchema,
        name: "legacy-schema",
        sender: "OneLogin's default template",
        evidence: &[AUTHENTIK_11249],
        cases: &["create-s06", "put-updates-s03"],
        change: "URNs of SCIM 1.1, in `schemas`, as keys and in paths, stand for their successors.",
    },
    Entry {
        repair: Repair::UnknownSchema,
        name: "unknown-schema",
        sender: "Entra ID on groups",
        evidence: &[ENTRA_TUTORIAL],
        cases: &["create-s03"],
        change: "URNs in `schemas` that the resource type does not have are ignored.",
    },
    Entry {
        repair: Repair::ExtensionNotListed,
        name: "extension-not-listed",
        sender: "Entra ID with custom attributes",
        evidence: &[ENTRA_CUSTOM],
        cases: &["extension-urn-paths-s08"],
        change: "An extension counts as present when its object is, whether `schemas` lists it or not.",
    },
    Entry {
        repair: Repair::FlatKey,
        name: "flat-key",
        sender: "Entra ID with the flag aadOptscim062020",
        evidence: &[
            ENTRA_COMPATIBILITY,
            Evidence { url: "https://github.com/thomaspoignant/scim-patch/issues/132", seen: "2021-08" },
            Evidence { url: "https://github.com/Captain-P-Goldfish/SCIM-SDK/issues/267", seen: "2022-03" },
        ],
        cases: &[
            "pathless-flat-keys-s01",
            "pathless-flat-keys-s02",
            "pathless-flat-keys-s03",
            "pathless-flat-keys-s05",
            "pathless-flat-keys-s07",
            "pathless-flat-keys-s08",
        ],
        change: "Keys that are paths (`name.givenName`, `urn:..:User:department`, `emails[type eq \"work\"].value`) \
                         are taken apart; the URN of the core schema as a key stands for its members.",
    },
    Entry {
        repair: Repair::BareExtensionAttribute,
        name: "bare-extension-attribute",
        sender: "Entra ID (Microsoft's tutorial and example bodies)",
        evidence: &[ENTRA_TUTORIAL],
        cases: &["array-wrapped-values-s01", "null-and-empty-s06"],
        change: "`manager`, `department` and other attributes of an extension are found without its URN.",
    },
    Entry {
        repair: Repair::SchemaAsPath,
        name: "schema-as-path",
        sender: "clients that patch an extension as one attribute",
        evidence: &[RFC_PATCH],
        cases: &["extension-urn-paths-s05"],
        change: "A path that is the URN of a schema becomes one operation per attribute: values merge.",
    },
    Entry {
        repair: Repair::BooleanAsString,
        name: "boolean-as-string",
        sender: "Entra ID without the flag aadOptscim062020, and its validator",
        evidence: &[
            ENTRA_COMPATIBILITY,
            Evidence { url: "https://github.com/scimmyjs/scimmy/issues/51", seen: "2024-09" },
            Evidence { url: "https://github.com/thomaspoignant/scim-patch/issues/872", seen: "2025-04" },
        ],
        cases: &[
            "array-wrapped-values-s03",
            "boolean-strings-s01",
            "boolean-strings-s02",
            "boolean-strings-s03",
            "boolean-strings-s05",
            "lifecycle-s05",
            "null-and-empty-s04",
            "roles-s01",
        ],
        change: "`\"True\"` and `\"false\"`, in any case, become booleans where the schema has one.",
    },
    Entry {
        repair: Repair::NumberAsString,
        name: "number-as-string",
        sender: "Entra ID, whose attribute expressions give strings",
        evidence: &[Evidence { url: "https://github.com/scimmyjs/scimmy/issues/51", seen: "2024-09" }],
        cases: &[],
        change: "A decimal number in a string becomes a number where the schema has one and no digit is lost.",
    },
    Entry {
        repair: Repair::SingleValueInList,
        name: "single-value-in-list",
        sender: "Entra ID (jobs customappsso, and Microsoft's tutorial for `manager`)",
        evidence: &[ENTRA_TUTORIAL, AZURE_DOCS_42220, ENTRA_REFERENCE],
        cases: &[
            "array-wrapped-values-s01",
            "array-wrapped-values-s02",
            "array-wrapped-values-s03",
            "array-wrapped-values-s05",
        ],
        change: "A list of one element is unwrapped where the schema has one value. Two are refused.",
    },
    Entry {
        repair: Repair::ObjectForScalar,
        name: "object-for-scalar",
        sender: "Entra ID (jobs customappsso)",
        evidence: &[AZURE_DOCS_42220, ENTRA_REFERENCE],
        cases: &["array-wrapped-values-s02", "array-wrapped-values-s03", "array-wrapped-values-s05"],
        change: "`{\"$ref\": null, \"value\": x}` becomes `x` where the schema has a simple value.",
    },
    Entry {
        repair: Repair::ScalarForObject,
        name: "scalar-for-object",
        sender: "Entra ID for `manager`, with and without the flag",
        evidence: &[
            Evidence { url: "https://github.com/Captain-P-Goldfish/SCIM-SDK/issues/541", seen: "2023-10" },
            Evidence { url: "https://github.com/Captain-P-Goldfish/SCIM-SDK/issues/686", seen: "2024-07" },
            Evidence { url: "https://github.com/apache/directory-scimple/issues/1242", seen: "2026-09" },
        ],
        cases: &["manager-s01", "manager-s02", "manager-s03", "manager-s08"],
        change: "A scalar for a complex value, or for an element of a list, becomes its `value`. Replacing a \
                         complex value by a scalar replaces it as a whole. A bare string for a whole list is refused.",
    },
    Entry {
        repair: Repair::SingleElementBare,
        name: "single-element-bare",
        sender: "clients that unwrap lists of one element",
        evidence: &[Evidence { url: "https://github.com/jelhub/scimgateway/issues/16", seen: "2019-02" }],
        cases: &[],
        change: "An object where the schema has a list becomes a list of one element.",
    },
    Entry {
        repair: Repair::DocumentAsValue,
        name: "document-as-value",
        sender: "Entra ID (AppRoleAssignmentsComplex without the flag)",
        evidence: &[
            ENTRA_CUSTOM,
            Evidence { url: "https://github.com/Captain-P-Goldfish/SCIM-SDK/issues/516", seen: "2023-08" },
            Evidence { url: "https://github.com/MicrosoftDocs/azure-docs/issues/50772", seen: "2020-03" },
        ],
        cases: &["roles-s03", "roles-s04"],
        change: "An element of nothing but a `value` that is a JSON document of `id`, `value` and `displayName` \
                         becomes what the document says.",
    },
    Entry {
        repair: Repair::DisplayNameForDisplay,
        name: "display-name-for-display",
        sender: "Entra ID (AppRoleAssignmentsComplex on create)",
        evidence: &[ENTRA_CUSTOM],
        cases: &["roles-s06"],
        change: "`displayName` in an element is read as `display` where the schema has only the latter.",
    },
    Entry {
        repair: Repair::EmptyAsUnassigned,
        name: "empty-as-unassigned",
        sender: "Microsoft's SCIM validator; Entra ID when a source attribute is emptied",
        evidence: &[ENTRA_VALIDATION],
        cases: &["manager-s04", "manager-s05", "null-and-empty-s01", "null-and-empty-s05"],
        change: "`\"\"`, `{}` and an element whose `value` is empty count as unassigned, like null and `[]`.",
    },
    Entry {
        repair: Repair::DuplicateElement,
        name: "duplicate-element",
        sender: "clients that collect members from several sources",
        evidence: &[Evidence { url: "https://github.com/AzureAD/SCIMReferenceCode/issues/10", seen: "2020-03" }],
        cases: &["group-members-add-s05", "group-members-replace-s07"],
        change: "Equal elements of one list collapse (RFC 7643 2.4).",
    },
    Entry {
        repair: Repair::RemoveWithValue,
        name: "remove-with-value",
        sender: "Entra ID without the flag aadOptscim062020, authentik, Rauthy",
        evidence: &[
            ENTRA_COMPATIBILITY,
            Evidence { url: "https://github.com/Captain-P-Goldfish/SCIM-SDK/issues/149", seen: "2021-04" },
            Evidence { url: "https://github.com/simpleidserver/SimpleIdServer/issues/244", seen: "2022-03" },
            Evidence { url: "https://github.com/thomaspoignant/scim-patch/issues/959", seen: "2025-08" },
        ],
        cases: &[
            "group-members-remove-s01",
            "group-members-remove-s04",
            "group-members-remove-s05",
            "group-members-remove-s08",
            "group-members-remove-s09",
        ],
        change: "`remove` of a list with a value removes these elements, where the letter of RFC 7644 3.5.2.2 \
                         would remove all. An empty value removes none.",
    },
    Entry {
        repair: Repair::ReadOnlyRestated,
        name: "read-only-restated",
        sender: "Okta and authentik on groups",
        evidence: &[OKTA_GUIDE, Evidence { url: "https://github.com/jelhub/scimgateway/issues/113", seen: "2024-02" }],
        cases: &[
            "errors-patch-s11",
            "group-members-replace-s03",
            "group-members-replace-s05",
            "ids-and-externalid-s04",
        ],
        change: "The resource's own `id`, and `meta`, `schemas` and `groups`, in the object of an operation \
                         without path are ignored. Another `id` is refused.",
    },
    Entry {
        repair: Repair::UnknownAttribute,
        name: "unknown-attribute",
        sender: "any client with attributes of its own",
        evidence: &[ENTRA_CUSTOM],
        cases: &[],
        change: "Names that no schema knows are ignored in objects. As a PATCH path they \
                         are refused.",
    },
    Entry {
        repair: Repair::FilterUnquoted,
        name: "filter-unquoted",
        sender: "hand-written queries",
        evidence: &[RFC_FILTER],
        cases: &[],
        change: "A bare word in a filter is read as a string.",
    },
    Entry {
        repair: Repair::FilterQuotes,
        name: "filter-quotes",
        sender: "hand-written queries, and filters pasted from a web page",
        evidence: &[RFC_FILTER],
        cases: &[],
        change: "Single and typographic quotes in a filter are read as double quotes.",
    },
    Entry {
        repair: Repair::FilterLiteralType,
        name: "filter-literal-type",
        sender: "Entra ID (SingleAppRoleAssignment)",
        evidence: &[
            ENTRA_CUSTOM,
            Evidence { url: "https://github.com/MicrosoftDocs/entra-docs/issues/391", seen: "2024-02" },
        ],
        cases: &["roles-s02", "roles-s08", "valuepath-create-s06"],
        change: "A string in a filter becomes a boolean or a number where the schema has one.",
    },
];
