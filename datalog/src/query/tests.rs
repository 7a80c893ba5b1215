//! Queries that are read and printed again, and those that are refused, with what is said of them.

use super::*;
use crate::edn::read;

fn parsed(text: &str) -> Result<Query> {
    let query = query(&read(text).unwrap())?;
    check::check(&query)?;
    Ok(query)
}

fn check_print(text: &str, expect: &str) {
    let shown = parsed(text).unwrap().to_string();
    let flat: Vec<&str> = shown.split_whitespace().collect();
    assert_eq!(flat.join(" "), expect, "{text}");
    let again = parsed(&shown).unwrap().to_string();
    assert_eq!(again, shown, "what is printed reads as the same");
}

#[test]
fn what_is_read_is_printed() {
    check_print("[:find ?e :where [?e :a 1]]", "[:find ?e :in $ :where [?e :a 1]]");
    check_print("{:find [?e] :where [[?e :a 1]]}", "[:find ?e :in $ :where [?e :a 1]]");
    check_print("{:find [[?e ...]] :where [[?e]]}", "[:find [?e ...] :in $ :where [?e]]");
    check_print("\"[:find ?e . :where [?e :a]]\"", "[:find ?e . :in $ :where [?e :a]]");
    check_print("[:find [?a ?b] :where [?a :x ?b]]", "[:find [?a ?b] :in $ :where [?a :x ?b]]");
    check_print(
        "[:find ?n (sum ?s) :with ?e :in $ $old [[?n ?s]] [?k ...] % pat :where ($old r ?e ?n)
          (not-join [?e] [?e :b] (and [?e :c _])) (or [?e :k ?k] (and [?e :z ?k] [$old ?e ?k]))
          [(+ ?s 1) [?x _]] [(< ?x 1)] :limit 3 :offset 1]",
        "[:find ?n (sum ?s) :with ?e :in $ $old [[?n ?s]] [?k ...] % pat :where ($old r ?e ?n) \
         (not-join [?e] [?e :b] [?e :c _]) (or [?e :k ?k] (and [?e :z ?k] [$old ?e ?k])) \
         [(+ ?s 1) [?x _]] [(< ?x 1)] :limit 3 :offset 1]",
    );
    check_print(
        "[:find (pull ?e [:a {:b [*]}]) :in $ % :where (or-join [[?e] ?f] (r ?e ?f) [?e :a ?f])]",
        "[:find (pull ?e [:a {:b [*]}]) :in $ % :where (or-join [[?e] ?f] (r ?e ?f) [?e :a ?f])]",
    );
}

#[test]
fn constants_of_a_pattern_are_values_wherever_they_stand() {
    check_print(
        "[:find ?v :where [[:a (1)] :b ?v] [?v :c [\"x\" foo]] [?v :d foo] [?v :e (1 2)]]",
        "[:find ?v :in $ :where [[:a (1)] :b ?v] [?v :c [\"x\" foo]] [?v :d foo] [?v :e (quote (1 2))]]",
    );
    check_print(
        "[:find ?v :where [?v :c (quote [?x])] [?v :d (quote foo)]]",
        "[:find ?v :in $ :where [?v :c (quote [?x])] [?v :d (quote foo)]]",
    );
}

#[test]
fn what_is_refused_is_told_where_and_why() {
    let check = |text: &str, at: &str, says: &str| {
        let fault = parsed(text).unwrap_err();
        assert!(fault.message.contains(says), "{text}: {}", fault.message);
        let span = &text[fault.span.start..fault.span.end.max(fault.span.start)];
        assert_eq!(span, at, "{text}");
    };
    check("[:find ?x :where [?e :a 1]]", "?x", "which nothing binds");
    check("[:find ?x :where [[:a ?v] :b ?x]]", "[:a ?v]", "no variable stands within a vector");
    check("[:find ?x :where [?x :b (f ?x)]]", "(f ?x)", "no variable stands within a list");
    check("[:where [?e :a 1]]", "[:where [?e :a 1]]", "no :find");
    check("[:find ?e :wehre [?e :a 1]]", ":wehre", "cannot be found");
    check("{:find [?e] :wehre [[?e :a]]}", ":wehre", "no :wehre");
    check("[:find ?e :where [$x ?e :a]]", "[$x ?e :a]", "$x is no input");
    check("[:find ?e :where [?e :a ?v] [(foo ?v)]]", "(foo ?v)", "foo is not known");
    check("[:find ?e :where [?e :a ?v] [(subs ?v) ?w]]", "(subs ?v)", "2 to 3 arguments");
    check("[:find ?e :where [?e :a ?v] (< ?v 1)]", "(< ?v 1)", "without rules");
    check("[:find (mean ?e) :where [?e :a ?v]]", "(mean ?e)", "mean is not known");
    check("[:find ?e :where (or [?e :a] [?f :b])]", "(or [?e :a] [?f :b])", "every branch");
    check("[:find ?e :where (or-join [?e] [?f :b])]", "(or-join [?e] [?f :b])", "speak of ?e");
    check("[:find ?e :where [?e] (not)]", "(not)", "no clause");
    check("[:find ?e :where [?e] 5]", "5", "a long is no clause");
    check("[:find ?e :keys a b :where [?e]]", ":keys", "1 columns");
    check("[:find ?e :where [?e :a] :order-by ?x]", "?x", "no column of :find");
    check("[:find (pull ?e pat) :where [?e :a]]", "(pull ?e pat)", "pat is no input");
}

#[test]
fn rules_are_read() {
    let rules = |text: &str| rules::rule_set(&read(text).unwrap());
    let set = rules(
        "[[(r ?x ?y) [?x :a ?y]] [(r ?x ?y) [?x :a ?z] (r ?z ?y)] [(s [?a] ?b) [(+ ?a 1) ?b]]]",
    );
    let set = set.unwrap();
    assert_eq!((set.rules["r"].len(), set.rules["s"][0].heads.required.len()), (2, 1));
    for (text, says) in [
        ("[[(r ?x) [?x :a]] [(r ?x ?y) [?x :a ?y]]]", "several forms"),
        ("[[(r ?x ?x) [?x :a]]]", "named twice"),
        ("[[(not ?x) [?x :a]]]", "no name for a rule"),
        ("[[(r ?x)]]", "no clause"),
        ("{}", "no set of rules"),
    ] {
        assert!(rules(text).unwrap_err().message.contains(says), "{text}");
    }
}
