//! Comparing without a kernel.

use super::{change_elements, difference};
use crate::ruleset::Element;

fn ports(list: &[u16]) -> Vec<Element> {
    list.iter().map(|port| Element::Ports(*port, *port)).collect()
}

#[test]
fn the_difference_is_what_to_remove_and_what_to_add() {
    for (desired, actual, removed, added) in [
        (&[1_u16, 2, 3][..], &[1_u16, 2, 3][..], &[][..], &[][..]),
        (&[1, 2, 3], &[], &[], &[1, 2, 3]),
        (&[], &[1, 2], &[1, 2], &[]),
        (&[1, 4, 5, 9], &[2, 4, 6], &[2, 6], &[1, 5, 9]),
    ] {
        let (gone, come) = difference(&ports(desired), &ports(actual));
        assert_eq!((gone, come), (ports(removed), ports(added)), "{desired:?} - {actual:?}");
    }
}

#[test]
fn changed_elements_stay_sorted() {
    let mut elements = ports(&[1, 3, 5]);
    change_elements(&mut elements, &ports(&[3]), ports(&[2, 9]));
    assert_eq!(elements, ports(&[1, 2, 5, 9]));
}
