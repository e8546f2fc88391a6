//! Two lists of lines as what has to go and what has to come.

/// Beyond it lines are not paired up: all of one list goes, all of the other comes.
const PAIRED_MAX: usize = 1000;

/// `- ` before what is only in `old`, `+ ` before what is only in `new`, two spaces before the rest.
pub(super) fn lines(old: &[String], new: &[String]) -> Vec<String> {
    if old.len() > PAIRED_MAX || new.len() > PAIRED_MAX {
        let gone = old.iter().map(|line| format!("- {line}"));
        return gone.chain(new.iter().map(|line| format!("+ {line}"))).collect();
    }
    let common = common_lengths(old, new);
    let (mut at_old, mut at_new, mut out) = (0, 0, Vec::new());
    while let (Some(left), Some(right)) = (old.get(at_old), new.get(at_new)) {
        if left == right {
            out.push(format!("  {left}"));
            (at_old, at_new) = (at_old + 1, at_new + 1);
        } else if common[at_old + 1][at_new] >= common[at_old][at_new + 1] {
            out.push(format!("- {left}"));
            at_old += 1;
        } else {
            out.push(format!("+ {right}"));
            at_new += 1;
        }
    }
    out.extend(old[at_old..].iter().map(|line| format!("- {line}")));
    out.extend(new[at_new..].iter().map(|line| format!("+ {line}")));
    out
}

/// How long the longest common part of the rests of both lists is, from every place on.
fn common_lengths(old: &[String], new: &[String]) -> Vec<Vec<usize>> {
    let mut common = vec![vec![0; new.len() + 1]; old.len() + 1];
    for (at_old, left) in old.iter().enumerate().rev() {
        for (at_new, right) in new.iter().enumerate().rev() {
            common[at_old][at_new] = if left == right {
                common[at_old + 1][at_new + 1] + 1
            } else {
                common[at_old + 1][at_new].max(common[at_old][at_new + 1])
            };
        }
    }
    common
}

#[cfg(test)]
mod tests {
    use super::lines;

    #[test]
    fn what_is_common_stays() {
        let list = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let show = |old, new| lines(&list(old), &list(new)).join(",");
        assert_eq!(show("a b c", "a x c d"), "  a,- b,+ x,  c,+ d");
        assert_eq!(show("", "a"), "+ a");
        assert_eq!(show("a", ""), "- a");
        assert_eq!(show("a a b", "a b"), "  a,- a,  b");
    }
}
