//! Ids in messages by their order of appearance, so that two runs can be compared.

use std::collections::HashMap;
use uuid::Uuid;

/// How many characters a GUID has as text.
const GUID_LEN: usize = 36;

/// Replaces each GUID by a name such as `{set-1}`, `{copy-1}` or, when nobody said what it names,
/// `{id-1}`.
#[derive(Debug, Default)]
pub struct Normaliser {
    names: HashMap<Uuid, String>,
    counts: HashMap<&'static str, usize>,
}

impl Normaliser {
    /// Says what kind of thing an id names; the first word counts.
    pub fn learn(&mut self, kind: &'static str, id: Uuid) {
        if !id.is_nil() && !self.names.contains_key(&id) {
            let count = self.counts.entry(kind).or_default();
            *count += 1;
            self.names.insert(id, format!("{{{kind}-{count}}}"));
        }
    }

    /// The name of an id.
    pub fn name(&mut self, id: Uuid) -> String {
        if id.is_nil() {
            return "{nil}".to_owned();
        }
        self.learn("id", id);
        self.names.get(&id).cloned().unwrap_or_default()
    }

    /// `text` with every GUID replaced, braces around it included.
    pub fn text(&mut self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let found = rest
                .get(..GUID_LEN)
                .and_then(|slice| Uuid::try_parse(slice).ok());
            if let Some(id) = found {
                let name = self.name(id);
                rest = rest.get(GUID_LEN..).unwrap_or_default();
                if out.ends_with('{') && rest.starts_with('}') {
                    out.pop();
                    rest = rest.get(1..).unwrap_or_default();
                }
                out.push_str(&name);
            } else {
                out.push(first);
                rest = rest.get(first.len_utf8()..).unwrap_or_default();
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_become_names_in_the_order_of_appearance() {
        let mut normaliser = Normaliser::default();
        let (set, copy, other) = (Uuid::from_u128(1), Uuid::from_u128(2), Uuid::from_u128(3));
        normaliser.learn("set", set);
        normaliser.learn("copy", copy);
        let text = format!(
            "set {set}, share data@{{{}}}, {other}",
            copy.to_string().to_uppercase()
        );
        assert_eq!(
            normaliser.text(&text),
            "set {set-1}, share data@{copy-1}, {id-1}"
        );
        assert_eq!(normaliser.text(&Uuid::nil().to_string()), "{nil}");
    }

    #[test]
    fn text_without_ids_stays_as_it_is() {
        let text = "no ids, but ünïcode and {braces} 00000000-0000";
        assert_eq!(Normaliser::default().text(text), text);
    }
}
