"""What schemathesis has to know of this API that a schema does not say."""

import schemathesis
from hypothesis import strategies as st

RULES = ["true", "'research' in user.groups", "pkg.name == 'model' && request.address != ''"]
# A pool of more would only cost the simulator time.
MOST_MACHINES = 8

schemathesis.openapi.format("cel", st.sampled_from(RULES))


def whole(value):
    """24.0 is an integer to JSON Schema; callers write 24."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [whole(item) for item in value]
    if isinstance(value, dict):
        return {key: whole(item) for key, item in value.items()}
    return value


@schemathesis.hook
def map_body(context, body):
    body = whole(body)
    if context.operation.label == "PUT /pool" and isinstance(body, dict):
        for field, value in body.items():
            if type(value) is int and 0 <= value <= 10_000:
                body[field] = min(value, MOST_MACHINES)
    return body


@schemathesis.check
def a_503_is_for_want_of_an_idle_machine(context, response, case):
    if response.status_code == 503:
        problem = response.json()
        assert problem["code"] == "no_idle_machine", problem
        assert int(response.headers["retry-after"][0]) > 0, response.headers


@schemathesis.check
def a_problem_says_what_to_do(context, response, case):
    # OPTIONS is API Gateway's own, for CORS.
    if response.status_code >= 400 and case.method.upper() != "OPTIONS":
        assert response.headers["content-type"][0].startswith("application/problem+json"), response.headers
        problem = response.json()
        assert problem["status"] == response.status_code, problem
        assert problem["code"] and problem["detail"] and problem["request_id"], problem
