//! Faults put into the product, or under it, on purpose: the simulation is worth what it finds of them.

use super::Mutant;
use super::runs::seeds_to_find;
use daodb_storage::world::Mutation;

#[test]
fn a_folder_that_is_not_synced_is_found() {
    seeds_to_find(Mutant::NoFolderSync, 100);
}

#[test]
fn an_acknowledgement_before_the_create_is_found() {
    seeds_to_find(Mutant::HastyAcknowledgement, 100);
}

#[test]
fn writes_that_cannot_be_told_apart_are_found() {
    seeds_to_find(Mutant::NoPutId, 100);
}

#[test]
fn a_collection_without_grace_is_found() {
    seeds_to_find(Mutant::Product(Mutation::NoGrace), 100);
}

#[test]
fn closings_dropped_in_a_merge_are_found() {
    seeds_to_find(Mutant::Product(Mutation::DroppedClosings), 100);
}

#[test]
fn a_tail_truncated_before_the_root_is_durable_is_found() {
    seeds_to_find(Mutant::Product(Mutation::EarlyTruncation), 100);
}
