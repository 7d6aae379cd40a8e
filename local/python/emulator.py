"""Runs MiniStack as a child of the local stack.

Beside starting it, this does what MiniStack leaves open:

- It ends when the stack does. The stack holds the other end of standard input; when that closes, however the stack
  died, MiniStack shuts down cleanly and so saves its state.
- It holds a lock on its state for as long as it lives, so that a later start can wait for it, or end it.
- It refuses what web pages send: MiniStack itself answers every page that finds its port.
- It gives CloudFormation the two resource types that a SAM state machine with an alias expands to.
- It saves from time to time, and not only at its end, so that a crash does not lose everything since the start.
- It writes what the functions print to one file each, where a developer looks for it.

Arguments: the lock file, the folder for the functions' logs. Everything else is MiniStack's own environment.
"""

import fcntl
import json
import logging
import os
import signal
import sys
import threading
import time

# How long a clean shutdown may take before the whole process group is killed.
SHUTDOWN_SECONDS = 20
# How often the state is saved, and at most which share of the time that may take.
SAVE_SECONDS = 30
SAVE_SHARE = 0.02


def hold_lock(path):
    """Locks `path` for the life of this process and writes our pid into it."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        sys.exit(f"another process holds {path}: is the previous emulator still shutting down?")
    os.ftruncate(lock, 0)
    os.write(lock, str(os.getpid()).encode())


def end_with_the_stack():
    """Shuts down when standard input closes: the stack is gone."""
    # Unbuffered: a thread inside a buffered read would abort the interpreter's exit.
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(SHUTDOWN_SECONDS)
    os.killpg(os.getpgid(0), signal.SIGKILL)


def refuse_web_pages():
    """Answers programs on this computer only: a name that is not this computer's was made to point at it (DNS
    rebinding), and browsers say where a request comes from. The deployed API is left alone: it has its own tokens."""
    from ministack import app

    def is_refused(scope):
        headers = dict(scope["headers"])
        host = headers.get(b"host", b"").rsplit(b":", 1)[0].lower()
        if host not in (b"127.0.0.1", b"localhost", b"[::1]"):
            return True
        if scope["path"].startswith("/_aws/execute-api/"):
            return False
        return b"origin" in headers or headers.get(b"sec-fetch-site", b"none") != b"none"

    answer = app.app

    async def guarded(scope, receive, send):
        if scope["type"] == "http" and is_refused(scope):
            body = b"The local AWS emulator answers programs on this computer, not web pages.\n"
            headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode())]
            await send({"type": "http.response.start", "status": 403, "headers": headers})
            await send({"type": "http.response.body", "body": body})
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await answer(scope, receive, send)

    app.app = guarded


def save_from_time_to_time():
    """Does in between what MiniStack does at its end. A service that changes meanwhile keeps its previous file, which
    the log tells, and is saved the next time."""
    from ministack import app

    one_at_a_time = threading.Lock()
    save_all = app.save_all

    def save(services):
        # Both savings would write the same temporary file.
        with one_at_a_time:
            save_all(services)

    def keep_saving():
        pause = SAVE_SECONDS
        while True:
            time.sleep(pause)
            begun = time.monotonic()
            save(app._build_persistence_save_dict())
            pause = max(SAVE_SECONDS, (time.monotonic() - begun) / SAVE_SHARE)

    app.save_all = save
    logging.getLogger("persistence").setLevel(logging.WARNING)
    threading.Thread(target=keep_saving, daemon=True, name="save").start()


def api(response):
    """The body of a Step Functions answer, or an error that fails the resource."""
    status, _headers, body = response
    answer = json.loads(body or b"{}")
    if status >= 400:
        raise ValueError(answer.get("message") or answer.get("Message") or str(answer))
    return answer


def publish_version(_logical_id, props, _stack):
    from ministack.services import stepfunctions

    arn = api(stepfunctions._publish_state_machine_version(
        {"stateMachineArn": props["StateMachineArn"], "description": props.get("Description", "")}
    ))["stateMachineVersionArn"]
    return arn, {"Arn": arn}


def update_version(physical_id, old, new, stack):
    # Another revision is another version. The old one is kept, as the transform asks for (UpdateReplacePolicy).
    if old.get("StateMachineRevisionId") == new.get("StateMachineRevisionId"):
        return physical_id, {"Arn": physical_id}
    return publish_version(None, new, stack)


def delete_version(physical_id, _props):
    from ministack.services import stepfunctions

    api(stepfunctions._delete_state_machine_version({"stateMachineVersionArn": physical_id}))


def routing(props):
    version = props["DeploymentPreference"]["StateMachineVersionArn"]
    return [{"stateMachineVersionArn": version, "weight": 100}]


def create_alias(_logical_id, props, _stack):
    from ministack.services import stepfunctions

    arn = api(stepfunctions._create_state_machine_alias(
        {"name": props["Name"], "routingConfiguration": routing(props)}
    ))["stateMachineAliasArn"]
    return arn, {"Arn": arn}


def update_alias(physical_id, _old, new, _stack):
    from ministack.services import stepfunctions

    api(stepfunctions._update_state_machine_alias(
        {"stateMachineAliasArn": physical_id, "routingConfiguration": routing(new)}
    ))
    return physical_id, {"Arn": physical_id}


def delete_alias(physical_id, _props):
    from ministack.services import stepfunctions

    api(stepfunctions._delete_state_machine_alias({"stateMachineAliasArn": physical_id}))


def add_resource_types():
    from ministack.services.cloudformation import provisioners

    provisioners._RESOURCE_HANDLERS.update({
        "AWS::StepFunctions::StateMachineVersion": {
            "create": publish_version, "update": update_version, "delete": delete_version,
        },
        "AWS::StepFunctions::StateMachineAlias": {
            "create": create_alias, "update": update_alias, "delete": delete_alias,
        },
    })


def copy_function_logs(folder):
    """Appends what each function prints to `<folder>/<function>.log`."""
    from ministack.services import lambda_svc

    emit = lambda_svc._emit_lambda_logs

    def emit_and_copy(func, request_id, text, *args, **kwargs):
        if text:
            name = (func.get("config") or func).get("FunctionName", "unknown")
            try:
                with open(os.path.join(folder, f"{name}.log"), "a", encoding="utf-8") as log:
                    log.write(text.rstrip("\n") + "\n")
            except OSError as error:
                print(f"cannot write the log of {name}: {error}", file=sys.stderr)
        return emit(func, request_id, text, *args, **kwargs)

    lambda_svc._emit_lambda_logs = emit_and_copy


def main():
    lock_file, log_folder = sys.argv[1:]
    hold_lock(lock_file)
    threading.Thread(target=end_with_the_stack, daemon=True, name="end-with-the-stack").start()
    refuse_web_pages()
    save_from_time_to_time()
    add_resource_types()
    copy_function_logs(log_folder)
    sys.argv = ["ministack"]

    from ministack import app
    from ministack.core import lambda_runtime

    try:
        app.main()
    finally:
        # The functions' processes are ours; MiniStack leaves them behind.
        lambda_runtime.reset()


if __name__ == "__main__":
    main()
