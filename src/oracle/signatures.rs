//! Signatures: what MS-SMB2, MS-RPCE and RFC 4178 demand of everything that is signed.
//!
//! Whether one is right is found out where the keys are, below; here it gets its requirement.

use crate::flow::Signed;
use crate::requirement::Role;

/// What is signed, and the requirements of the server and of the client.
const RULES: [(Signed, &str, &str); 4] = [
    (Signed::SmbMessage, "SMB2-3.1.4.1-01", "SMB2-C-3.1.4.1-01"),
    (
        Signed::EncryptedSmbMessage,
        "SMB2-3.1.4.3-01",
        "SMB2-C-3.1.4.3-01",
    ),
    (
        Signed::RpcFragment,
        "RPCE-3.3.1.5.2.2-01",
        "RPCE-C-3.3.1.5.2.2-01",
    ),
    (Signed::MechanismList, "SPNEGO-5-01", "SPNEGO-C-5-01"),
];

/// The requirement that a wrong signature of `by` breaks.
#[must_use]
pub fn requirement_of(signed: Signed, by: Role) -> &'static str {
    let rule = RULES.iter().find(|(what, _, _)| *what == signed);
    rule.map_or("", |(_, server, client)| match by {
        Role::Server => server,
        Role::Client => client,
    })
}

pub(super) fn requirements() -> impl Iterator<Item = &'static str> {
    RULES
        .iter()
        .flat_map(|(_, server, client)| [*server, *client])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::requirement::{Catalogue, RequirementId};

    #[test]
    fn each_requirement_names_the_section_that_the_finding_names() {
        let catalogue = Catalogue::built_in().expect("it reads");
        for (signed, server, client) in RULES {
            for (id, role) in [(server, Role::Server), (client, Role::Client)] {
                let requirement = catalogue.get(&RequirementId(id.to_owned())).expect(id);
                assert_eq!(requirement.section.0, signed.section());
                assert_eq!(requirement.role, role);
                assert_eq!(requirement_of(signed, role), id);
            }
        }
    }
}
