//! The keys of each message, under their names on the wire. What they may hold is `read`'s business.
//!
//! Each names `tipo` too: repeated, it is an error like any other known key.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::object::{Object, present};

#[derive(Deserialize)]
pub(super) struct Head<'a> {
    #[serde(borrow)]
    pub(super) tipo: Cow<'a, str>,
}

#[derive(Deserialize)]
pub(super) struct Version {
    pub(super) versao: u64,
}

#[derive(Deserialize)]
pub(super) struct Register<'a> {
    #[serde(rename = "tipo")]
    _tipo: IgnoredAny,
    #[serde(rename = "versao")]
    _versao: IgnoredAny,
    #[serde(borrow)]
    pub(super) id: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) compartilhamento: Cow<'a, str>,
    pub(super) porta: u64,
    #[serde(borrow)]
    pub(super) agente: Cow<'a, str>,
    #[serde(default, deserialize_with = "present")]
    pub(super) papel: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub(super) objetivo: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Peer<'a> {
    #[serde(borrow)]
    pub(super) id: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) ip: Cow<'a, str>,
    pub(super) porta: u64,
}

#[derive(Deserialize)]
pub(super) struct Peers<'a> {
    #[serde(rename = "tipo")]
    _tipo: IgnoredAny,
    #[serde(borrow)]
    pub(super) peers: Vec<Object<Peer<'a>>>,
}

#[derive(Deserialize)]
pub(super) struct NewPeer<'a> {
    #[serde(rename = "tipo")]
    _tipo: IgnoredAny,
    #[serde(borrow)]
    pub(super) peer: Object<Peer<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Stock {
    #[serde(rename = "tipo")]
    _tipo: IgnoredAny,
    #[serde(default, deserialize_with = "present")]
    pub(super) estoque: Option<Vec<[u64; 2]>>,
    #[serde(default, deserialize_with = "present")]
    pub(super) novos: Option<Vec<[u64; 2]>>,
}

#[derive(Deserialize)]
pub(super) struct Start {
    #[serde(rename = "tipo")]
    _tipo: IgnoredAny,
    pub(super) inicio: u64,
}

#[derive(Deserialize)]
pub(super) struct Metainfo {
    #[serde(rename = "tipo")]
    _tipo: IgnoredAny,
    pub(super) inicio: u64,
    pub(super) tamanho: u64,
    pub(super) total: u64,
}

#[derive(Deserialize)]
pub(super) struct Range {
    #[serde(rename = "tipo")]
    _tipo: IgnoredAny,
    pub(super) bloco: u64,
    pub(super) inicio: u64,
    pub(super) tamanho: u64,
}

#[derive(Deserialize)]
pub(super) struct Nack<'a> {
    #[serde(rename = "tipo")]
    _tipo: IgnoredAny,
    pub(super) bloco: u64,
    pub(super) inicio: u64,
    pub(super) tamanho: u64,
    #[serde(borrow)]
    pub(super) motivo: Cow<'a, str>,
}

#[derive(Deserialize)]
pub(super) struct Piece {
    #[serde(rename = "tipo")]
    _tipo: IgnoredAny,
    pub(super) bloco: u64,
}

#[derive(Deserialize)]
pub(super) struct Leaves {
    #[serde(rename = "tipo")]
    _tipo: IgnoredAny,
    pub(super) bloco: u64,
    pub(super) tamanho: u64,
}

#[derive(Deserialize)]
pub(super) struct Failure<'a> {
    #[serde(rename = "tipo")]
    _tipo: IgnoredAny,
    #[serde(borrow)]
    pub(super) codigo: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) mensagem: Cow<'a, str>,
}
