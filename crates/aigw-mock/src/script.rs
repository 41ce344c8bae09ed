//! What a body does, step by step: the answer's content with the faults of one request worked in.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use memchr::memmem;

use crate::fault::{ErrorEvent, Fault};
use crate::reply::{Content, SIZE_MARK};

const FILLER: &[u8] = &[b'x'; 16 * 1024];
const GARBAGE: &[u8] = b"data: {\"id\": <<<garbage>>> \xff\xfe\n\n";

/// One step of a body.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Bytes(Bytes),
    Wait(Duration),
    /// Lets what was sent so far leave the process before going on.
    Flush,
    /// The same bytes so many times, or for ever.
    Repeat(Bytes, Option<u64>),
    /// Stays silent until the other side goes away.
    Hang,
    /// Breaks the body off.
    Break,
}

/// The steps still to be taken; the first two forms are the ones without faults and allocate nothing.
#[derive(Debug)]
pub(crate) enum Script {
    Plain(Bytes),
    Events(Arc<[Bytes]>, usize),
    Steps(VecDeque<Step>),
}

impl Script {
    /// Works the faults into the content. `error_event` is the event of `error-event`.
    pub(crate) fn new(content: Content, fault: &Fault, error_event: impl FnOnce() -> Bytes) -> Self {
        match content {
            Content::Whole { bytes, .. } if fault.is_none() => Self::Plain(bytes),
            Content::Events { list, .. } if fault.is_none() => Self::Events(list, 0),
            Content::Whole { bytes, .. } => Self::Steps(whole(bytes, fault).into()),
            Content::Events { list, repeat } => Self::Steps(events(&list, repeat, fault, error_event).into()),
        }
    }

    pub(crate) fn next(&mut self) -> Option<Step> {
        match self {
            Self::Plain(bytes) if bytes.is_empty() => None,
            Self::Plain(bytes) => Some(Step::Bytes(std::mem::take(bytes))),
            Self::Events(list, at) => {
                let event = list.get(*at)?;
                *at += 1;
                Some(Step::Bytes(event.clone()))
            }
            Self::Steps(steps) => match steps.front_mut()? {
                Step::Repeat(bytes, None) => Some(Step::Bytes(bytes.clone())),
                Step::Repeat(bytes, Some(times)) if *times > 1 => {
                    *times -= 1;
                    Some(Step::Bytes(bytes.clone()))
                }
                Step::Repeat(bytes, Some(_)) => {
                    let bytes = std::mem::take(bytes);
                    steps.pop_front();
                    Some(Step::Bytes(bytes))
                }
                _ => steps.pop_front(),
            },
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        match self {
            Self::Plain(bytes) => bytes.is_empty(),
            Self::Events(list, at) => *at >= list.len(),
            Self::Steps(steps) => steps.is_empty(),
        }
    }

    /// Bytes still to come, when every one of them is known and the script ends.
    pub(crate) fn length(&self) -> Option<u64> {
        match self {
            Self::Plain(bytes) => Some(bytes.len() as u64),
            Self::Events(..) => None,
            Self::Steps(steps) => steps.iter().try_fold(0, |sum, step| match step {
                Step::Bytes(bytes) => Some(sum + bytes.len() as u64),
                Step::Repeat(bytes, times) => Some(sum + bytes.len() as u64 * (*times)?),
                Step::Wait(_) | Step::Flush => Some(sum),
                Step::Hang | Step::Break => None,
            }),
        }
    }
}

fn whole(bytes: Bytes, fault: &Fault) -> Vec<Step> {
    let mut steps: Vec<Step> = fault.first_token_delay.map(Step::Wait).into_iter().collect();
    if fault.garbage {
        steps.push(Step::Bytes(Bytes::from_static(GARBAGE)));
    } else {
        match (fault.size, memmem::find(&bytes, SIZE_MARK.as_bytes())) {
            (Some(size), Some(at)) => {
                steps.push(Step::Bytes(bytes.slice(..at)));
                steps.extend(filler(size));
                steps.push(Step::Bytes(bytes.slice(at + SIZE_MARK.len()..)));
            }
            _ => steps.push(Step::Bytes(bytes)),
        }
    }
    if fault.never_ending || fault.stall.is_some() {
        steps.push(Step::Hang);
    }
    steps
}

fn filler(size: u64) -> impl Iterator<Item = Step> {
    let block = FILLER.len() as u64;
    let rest = usize::try_from(size % block).unwrap_or_default();
    let whole = (size >= block).then(|| Step::Repeat(Bytes::from_static(FILLER), Some(size / block)));
    let rest = (rest > 0).then(|| Step::Bytes(Bytes::from_static(FILLER).slice(..rest)));
    whole.into_iter().chain(rest)
}

fn events(
    list: &[Bytes],
    repeat: Option<usize>,
    fault: &Fault,
    error_event: impl FnOnce() -> Bytes,
) -> Vec<Step> {
    let mut steps: Vec<Step> = fault.first_token_delay.map(Step::Wait).into_iter().collect();
    let end = end(list.len(), fault);
    for (at, event) in list.iter().enumerate().take(end) {
        if at > 0 {
            steps.extend(fault.pace.map(Step::Wait));
        }
        if fault.garbage && at == list.len() / 2 {
            steps.push(Step::Bytes(Bytes::from_static(GARBAGE)));
        }
        steps.extend(one_event(event, repeat == Some(at), fault));
        if fault.flush {
            steps.push(Step::Flush);
        }
        if fault.never_ending && repeat.map_or(at + 1 == list.len(), |repeat| repeat == at) {
            return steps;
        }
    }
    if fault.error_event.is_some() {
        steps.push(Step::Bytes(dress(&error_event(), fault)));
    }
    if fault.cut_events.is_some_and(|cut| cut <= list.len()) {
        steps.push(Step::Break);
    } else if fault.stall.is_some() {
        steps.push(Step::Hang);
    }
    steps
}

/// How many of the events are sent.
fn end(events: usize, fault: &Fault) -> usize {
    let error = fault.error_event.map(|at| match at {
        ErrorEvent::Half => events / 2,
        ErrorEvent::After(after) => after,
    });
    [fault.stall, fault.cut_events, error]
        .into_iter()
        .flatten()
        .fold(events, usize::min)
}

fn one_event(event: &Bytes, repeats: bool, fault: &Fault) -> Vec<Step> {
    let plain = dress(event, fault);
    if !repeats {
        return vec![Step::Bytes(plain)];
    }
    match (fault.size, memmem::find(event, SIZE_MARK.as_bytes())) {
        (Some(size), Some(at)) => {
            let (before, after) = (event.slice(..at), event.slice(at + SIZE_MARK.len()..));
            let filled = |text: &[u8]| dress(&Bytes::from([&before, text, &after].concat()), fault);
            let block = FILLER.len() as u64;
            let rest = usize::try_from(size % block).unwrap_or_default();
            let mut steps = Vec::new();
            if size >= block {
                steps.push(Step::Repeat(filled(FILLER), Some(size / block)));
            }
            if rest > 0 {
                steps.push(Step::Bytes(filled(FILLER.get(..rest).unwrap_or_default())));
            }
            steps
        }
        _ if fault.never_ending => endless(plain, fault),
        _ => vec![Step::Bytes(plain)],
    }
}

/// The event for ever; with a pace, each repetition waits, which one step cannot say, so a long day of them is laid out.
fn endless(event: Bytes, fault: &Fault) -> Vec<Step> {
    let Some(pace) = fault.pace else {
        return vec![Step::Repeat(event, None)];
    };
    let mut steps = Vec::new();
    for _ in 0..10_000 {
        steps.push(Step::Bytes(event.clone()));
        steps.push(Step::Wait(pace));
    }
    steps.push(Step::Hang);
    steps
}

/// Line ends and comments of one event.
fn dress(event: &Bytes, fault: &Fault) -> Bytes {
    let Some(line_end) = fault.line_end.or(fault.comments.then_some("\n")) else {
        return event.clone();
    };
    let mut dressed = Vec::with_capacity(event.len() + 32);
    if fault.comments {
        dressed.extend_from_slice(b": comment");
        dressed.extend_from_slice(line_end.as_bytes());
    }
    for byte in event {
        match byte {
            b'\n' => dressed.extend_from_slice(line_end.as_bytes()),
            byte => dressed.push(*byte),
        }
    }
    Bytes::from(dressed)
}
