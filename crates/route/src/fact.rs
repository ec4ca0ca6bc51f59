//! Facts of a candidate, each with the grade of its evidence: what a policy is judged on (D15).

use serde::Deserialize;

/// How good a piece of evidence is, best first: measured here, vendor sheet, paper or third-party test, press, hearsay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub enum Grade {
    M,
    A,
    B,
    C,
    D,
}

impl Grade {
    pub const ALL: [Self; 5] = [Self::M, Self::A, Self::B, Self::C, Self::D];

    pub const fn name(self) -> &'static str {
        match self {
            Self::M => "M",
            Self::A => "A",
            Self::B => "B",
            Self::C => "C",
            Self::D => "D",
        }
    }
}

/// What can be known of a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    Chip,
    Vendor,
    DesignedIn,
    FabricatedBy,
    FabricatedIn,
    PackagedIn,
    SoftwareStack,
    Advisory,
    Region,
    Site,
    Provider,
    Platform,
    AttestationAge,
}

impl Fact {
    pub const ALL: [Self; 13] = [
        Self::Chip,
        Self::Vendor,
        Self::DesignedIn,
        Self::FabricatedBy,
        Self::FabricatedIn,
        Self::PackagedIn,
        Self::SoftwareStack,
        Self::Advisory,
        Self::Region,
        Self::Site,
        Self::Provider,
        Self::Platform,
        Self::AttestationAge,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Chip => "chip",
            Self::Vendor => "vendor",
            Self::DesignedIn => "designed_in",
            Self::FabricatedBy => "fabricated_by",
            Self::FabricatedIn => "fabricated_in",
            Self::PackagedIn => "packaged_in",
            Self::SoftwareStack => "software_stack",
            Self::Advisory => "advisory",
            Self::Region => "region",
            Self::Site => "site",
            Self::Provider => "provider",
            Self::Platform => "platform",
            Self::AttestationAge => "attestation_age_s",
        }
    }

    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fact| fact.name() == name)
    }

    /// Tells whether values are codes of places, in which a country includes its parts.
    pub const fn is_place(self) -> bool {
        matches!(self, Self::DesignedIn | Self::FabricatedIn | Self::PackagedIn | Self::Region)
    }
}

/// The values of one fact and how well they are known. No values: known to be none.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Known {
    pub values: Vec<String>,
    pub grade: Grade,
}

/// What is known of a candidate; what is not here is unknown.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    known: [Option<Known>; Fact::ALL.len()],
    /// When the candidate last proved what it is, by the wall clock.
    pub attested_at_ms: Option<u64>,
}

impl Facts {
    pub fn insert(&mut self, fact: Fact, known: Known) {
        self.known[fact as usize] = Some(known);
    }

    /// Notes what the platform's own records say.
    pub fn insert_own(&mut self, fact: Fact, value: &str) {
        self.insert(fact, Known { values: vec![value.to_owned()], grade: Grade::M });
    }

    pub fn get(&self, fact: Fact) -> Option<&Known> {
        self.known[fact as usize].as_ref()
    }
}
