//! The EC2 service of GeuseMaker, story 4.4: its test cases, its acceptance criteria, and its errors.

mod cases;
mod criteria;
mod errors;
