//! What a connection carries: two framed streams, and what the SMB messages in them mean.

use super::connection::reason_of;
use super::exchange::{Direction, GapLayer, Link};
use super::framing::{Element, Framer, Kind, Place, Sink, Want};
use super::output::Output;
use super::smb::{Mishap, Tracker};
use super::tcp::{LossReason, Stamp};
use std::sync::Arc;

/// The two streams of a connection and the state of SMB over them.
pub(super) struct Messages {
    client: Framer,
    server: Framer,
    tracker: Tracker,
}

impl Messages {
    pub(super) fn new(link: Arc<Link>) -> Self {
        Messages {
            client: Framer::new(),
            server: Framer::new(),
            tracker: Tracker::new(link),
        }
    }

    /// Takes the next bytes of a direction.
    pub(super) fn bytes(
        &mut self,
        direction: Direction,
        bytes: &[u8],
        stamp: Stamp,
        output: &mut Output,
    ) {
        let (framer, mut sink) = self.parts(direction, output);
        framer.bytes(bytes, stamp, &mut sink);
    }

    /// Takes the news that bytes of a direction are missing next.
    pub(super) fn lost(
        &mut self,
        direction: Direction,
        (offset, length): (u64, u64),
        reason: LossReason,
        stamp: Stamp,
        output: &mut Output,
    ) {
        let mishap = Mishap {
            layer: GapLayer::Tcp,
            reason: reason_of(reason),
            offset,
            length,
            frame: stamp.frame,
            time: stamp.time,
        };
        self.tracker.mishap(direction, mishap, output);
        let (framer, mut sink) = self.parts(direction, output);
        let harmless = framer.lost(length, stamp, &mut sink);
        if !harmless {
            self.tracker.lost(direction, output);
        }
    }

    /// Takes the news that the connection, or the capture, is over.
    pub(super) fn end(&mut self, stamp: Stamp, output: &mut Output) {
        for direction in [Direction::ClientToServer, Direction::ServerToClient] {
            let (framer, mut sink) = self.parts(direction, output);
            framer.end(stamp, &mut sink);
        }
        self.tracker.end(output);
    }

    fn parts<'a>(
        &'a mut self,
        direction: Direction,
        output: &'a mut Output,
    ) -> (&'a mut Framer, Towards<'a>) {
        let framer = match direction {
            Direction::ClientToServer => &mut self.client,
            Direction::ServerToClient => &mut self.server,
        };
        let sink = Towards {
            tracker: &mut self.tracker,
            direction,
            output,
        };
        (framer, sink)
    }
}

/// The tracker, as the sink of one direction.
struct Towards<'a> {
    tracker: &'a mut Tracker,
    direction: Direction,
    output: &'a mut Output,
}

impl Sink for Towards<'_> {
    fn wants(&mut self, kind: Kind, head: &[u8]) -> Want {
        self.tracker.wants(kind, head, self.output)
    }

    fn element(&mut self, element: Element<'_>) {
        self.tracker.element(self.direction, &element, self.output);
    }

    fn trouble(&mut self, place: Place<'_>) {
        self.tracker.trouble(self.direction, &place, self.output);
    }

    fn keeps(&mut self, less: usize, more: usize) -> bool {
        self.output.shared.keeps(less, more)
    }
}
