//! A package's view says whether machines can stage it, which is less than whether it can be had.

use haulout_domain::{package::Package, staging::limit::most_unpacked};

use super::support::{Shelf, version};

type Change = fn(&mut Package);

#[tokio::test]
async fn what_machines_do_not_take_is_had_all_the_same() {
    let shelf = Box::pin(Shelf::start()).await;
    let committed = shelf.published("ann", &version("1.0.0")).await;
    assert_eq!(committed["can_be_staged"], true, "{committed}");
    let model = "model@1.0.0".parse().unwrap();
    let changes: [Change; 2] = [
        |it| it.unpacked_bytes = most_unpacked(it.size_bytes) + 1,
        |it| it.has_script = false,
    ];
    for change in changes {
        shelf.registry.update_package(&model, change).await.unwrap();
        let view = shelf.get("bob", "/packages/model/1.0.0").await.json();
        assert_eq!(view["can_be_staged"], false, "{view}");
        assert_eq!(view["state"], "ready", "{view}");
        let link = shelf.get("bob", "/download/model/1.0.0").await;
        assert_eq!(link.status, 200, "{}", link.text());
        let mend: Change = |it| {
            it.unpacked_bytes = 100;
            it.has_script = true;
        };
        shelf.registry.update_package(&model, mend).await.unwrap();
    }
}
