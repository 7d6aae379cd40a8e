//! The deployed template on the local stack, end to end: what a user does, and what a user sees.

mod attacks;
mod bad_input;
mod creator;
mod drain;
mod fixture;
mod found;
mod launch;
mod machines;
mod notices;
mod pool;
mod power;
mod readme;
mod registry;
mod restart;

use fixture::Fixture;

/// One stack serves all of it: the scenarios run side by side, as users would.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_deployed_stack() {
    let _alone = haulout_tests::alone::ALONE.lock().await;
    let fixture = Fixture::start().await;
    tokio::join!(
        launch::a_blob_becomes_a_running_model(&fixture),
        launch::what_is_not_a_zip_fails_and_leaves_nothing(&fixture),
        launch::waiting_sees_it_ready(&fixture),
        launch::a_repeated_request_makes_one_machine(&fixture),
        launch::deleting_during_provisioning_leaves_nothing(&fixture),
        launch::a_capacity_error_says_what_to_do(&fixture),
        bad_input::is_refused_with_a_problem(&fixture),
        bad_input::reads_are_found_or_not(&fixture),
        machines::an_interrupted_spot_machine_ends_when_ec2_ends_it(&fixture),
        machines::a_security_group_of_its_own_goes_with_the_machine(&fixture),
        machines::figures_are_read_through_the_api(&fixture),
        notices::a_subscriber_is_told_of_a_machines_life(&fixture),
        pool::a_project_gets_a_machine_and_gives_it_back(&fixture),
        power::a_started_machine_runs_its_model_again(&fixture),
    );
    launch::lists_are_paged(&fixture).await;
    launch::what_was_launched_is_accounted_for(&fixture).await;
    readme::the_walk_through_works_as_printed(&fixture).await;
    registry::a_package_of_three_parts_runs_on_a_machine(&fixture).await;
    found::an_archive_put_there_by_another_tool_becomes_a_package(&fixture).await;
    attacks::each_is_refused_and_changes_nothing(&fixture).await;
    drain::draining_ends_every_machine_and_makes_no_new_one(&fixture).await;
    restart::the_records_survive(fixture).await;
}
