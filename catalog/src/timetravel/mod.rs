//! SQL's version clauses: a dialect that reads them, a rewrite of the range forms, a planner that handles or refuses each.
