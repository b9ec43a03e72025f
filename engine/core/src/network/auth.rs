//! Digest authentication: a challenge is answered once, and what it taught is used for the requests that follow.

use pummel_http::{DigestChallenge, DigestUse};
use pummel_stats::RowId;

use super::{
    client::Client,
    exchange::{Answered, Hop, Unanswered},
    origins::OriginId,
    tally::Tally,
};
use crate::{program::Extra, shard::Shard};

/// The most origins whose challenges a user remembers; beyond it the oldest is forgotten, which costs one more exchange.
const KNOWN_MAX: usize = 16;

/// What a user knows of servers that ask who it is.
#[derive(Default)]
pub(crate) struct Challenges {
    known: Vec<Known>,
    /// The `Authorization` of the request that was answered last, where it had one.
    sent: Option<String>,
}

struct Known {
    origin: OriginId,
    challenge: DigestChallenge,
    /// The user's own word, the same for all uses of the nonce.
    cnonce: String,
    /// Uses of the nonce so far.
    uses: u32,
}

impl Challenges {
    /// The `Authorization` of the next request to an origin; none where nothing is known of it.
    fn answer(&mut self, hop: &Hop<'_>) -> Option<String> {
        let (user, password) = hop.request.digest()?;
        let known = self.known.iter_mut().find(|known| known.origin == hop.origin)?;
        known.uses = known.uses.saturating_add(1);
        Some(known.challenge.answer(&DigestUse {
            user,
            password,
            method: hop.method,
            target: hop.request.target(),
            cnonce: &known.cnonce,
            count: known.uses,
        }))
    }

    /// The `Authorization` of the request that was answered last; none where it had none.
    pub(crate) fn sent(&self) -> Option<&String> {
        self.sent.as_ref()
    }

    fn learn(&mut self, origin: OriginId, challenge: DigestChallenge) {
        self.forget(origin);
        if self.known.len() >= KNOWN_MAX {
            self.known.remove(0);
        }
        self.known.push(Known { origin, challenge, cnonce: format!("{:016x}", fastrand::u64(..)), uses: 0 });
    }

    fn forget(&mut self, origin: OriginId) {
        self.known.retain(|known| known.origin != origin);
    }
}

impl Shard {
    /// As [`hop`](Self::hop), for a request with credentials for a digest challenge (RFC 7616), to which the user's cookies are
    /// added here: those that come with a challenge go out with the answer to it. It says who it is at once where the
    /// user knows the challenge of the origin; an answer that asks for it is followed by one further exchange, an auth round. A
    /// second answer of that kind is the answer: the credentials are wrong.
    pub(crate) async fn hop_with_digest(
        &self,
        client: &mut Client,
        hop: &Hop<'_>,
        row: RowId,
        tally: &mut Tally,
    ) -> Result<Answered, Unanswered> {
        let Client { idle, cookies, challenges, .. } = client;
        let challenges = challenges.get_or_insert_default();
        let known = challenges.answer(hop);
        let target = hop.request.target();
        let line = cookies.line(&self.origins, hop.origin, target, hop.begin_ns);
        let first = Hop { extra: Extra { cookies: line, authorization: known.as_ref() }, ..*hop };
        let answered = self.hop(idle, &first, tally).await;
        let mut answered = answered.inspect_err(|failed| self.sample_hop(failed, &first, row))?;
        challenges.sent = known;
        let Some(challenge) = challenge_of(&mut answered) else { return Ok(answered) };
        challenges.learn(hop.origin, challenge);
        let Some(answer) = challenges.answer(hop) else { return Ok(answered) };
        self.take_in(cookies, &mut answered, target, tally);
        self.release(idle, answered);
        tally.exchanges.auth_rounds += 1;
        let line = cookies.line(&self.origins, hop.origin, target, tally.done_ns);
        let second = Hop {
            extra: Extra { cookies: line, authorization: Some(&answer) },
            begin_ns: tally.done_ns,
            until_ns: hop.until_ns.min(tally.sent_ns.saturating_add(hop.timeout_ns)),
            ..*hop
        };
        let answered = self.hop(idle, &second, tally).await;
        let mut answered = answered.inspect_err(|failed| self.sample_hop(failed, &second, row))?;
        challenges.sent = Some(answer);
        if challenge_of(&mut answered).is_some() {
            challenges.forget(hop.origin);
        }
        Ok(answered)
    }
}

/// The challenge of a response that is one and can be answered.
fn challenge_of(answered: &mut Answered) -> Option<DigestChallenge> {
    answered.with(|response| {
        if !response.directives.challenge {
            return None;
        }
        let asks = |name: &str| name.eq_ignore_ascii_case("www-authenticate");
        DigestChallenge::strongest(response.headers().filter(|(name, _)| asks(name)).map(|(_, value)| value))
    })
}
