//! Golden listings.
