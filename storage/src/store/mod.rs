//! Object stores: the local folder (durable, locked) behind object_store's traits.
