//! The real program as a process of its own: killed, stopped, cut off, restarted.

mod access;
mod bundle;
mod catalogue;
mod cluster_page;
mod command_line;
mod description;
mod drain;
mod events;
mod failover;
mod failsafe;
mod ground;
mod handing_over;
mod handover;
mod leadership;
mod life;
mod logs;
mod outage;
mod patience;
mod prometheus;
mod promotion;
mod proxied;
mod proxied_tls;
mod reload;
mod restart;
mod role;
mod several_urls;
mod stall;
#[path = "../support/mod.rs"]
mod support;
mod systemd;
mod tls;
mod tls_clients;
mod top;
mod webhooks;
mod witnesses;
mod worker;
