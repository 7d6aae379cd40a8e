# One GET with the exit codes of curl: URL RANGE FILE MAX-BYTES STALL-SECONDS SECONDS; a POST with a file of JSON behind.
import errno
import http.client
import socket
import sys
import time
import urllib.error
import urllib.request

url, span, path, most, stall, seconds = sys.argv[1:7]
deadline = time.monotonic() + float(seconds)


def end(code, why=""):
    if why:
        sys.stderr.write(str(why)[:300] + "\n")
    sys.exit(code)


def note(answer):
    version = {10: "1.0", 11: "1.1"}.get(getattr(answer, "version", 11), "1.1")
    lines = ["HTTP/%s %s" % (version, answer.status if hasattr(answer, "status") else answer.code)]
    lines += ["%s: %s" % pair for pair in answer.headers.items()]
    with open(path + ".hdr", "w") as headers:
        headers.write("\r\n".join(lines) + "\r\n\r\n")


opener = urllib.request.OpenerDirector()
for handler in (
    urllib.request.ProxyHandler,
    urllib.request.HTTPHandler,
    urllib.request.HTTPSHandler,
    urllib.request.HTTPDefaultErrorHandler,
    urllib.request.HTTPRedirectHandler,
    urllib.request.HTTPErrorProcessor,
):
    opener.add_handler(handler())
request = urllib.request.Request(url, headers={"User-Agent": "haulout", "Accept": "*/*"})
if sys.argv[7:]:
    request.data = open(sys.argv[7], "rb").read()
    request.add_header("Content-Type", "application/json")
if span:
    request.add_header("Range", "bytes=" + span)
try:
    try:
        answer = opener.open(request, timeout=min(float(stall), float(seconds)))
    except urllib.error.HTTPError as error:
        answer = error
    note(answer)
    if int(answer.headers.get("Content-Length") or 0) > int(most):
        end(63, "Maximum file size exceeded")
    got = 0
    with open(path, "wb") as out:
        while True:
            piece = answer.read(65536)
            if not piece:
                break
            got += len(piece)
            if got > int(most):
                end(63, "Maximum file size exceeded")
            out.write(piece)
            if time.monotonic() > deadline:
                end(28, "Operation timed out")
    if got < int(answer.headers.get("Content-Length") or 0):
        end(18, "transfer closed with outstanding read data remaining")
except http.client.IncompleteRead as error:
    # What came with the end of the connection is worth keeping.
    with open(path, "ab") as out:
        out.write(error.partial)
    end(18, "transfer closed with outstanding read data remaining")
except socket.timeout:
    end(28, "Operation timed out")
except urllib.error.URLError as error:
    end(28 if isinstance(error.reason, socket.timeout) else 7, error.reason)
except OSError as error:
    end(23 if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) else 56, error)
except http.client.HTTPException as error:
    end(56, repr(error))
