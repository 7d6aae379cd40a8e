# One POST of a file as JSON: URL BODY-FILE ANSWER-FILE SECONDS. Prints the HTTP status; nothing without an answer.
import sys
import urllib.error
import urllib.request

url, body, path, seconds = sys.argv[1:5]
request = urllib.request.Request(
    url,
    data=open(body, "rb").read(),
    headers={"User-Agent": "haulout", "Content-Type": "application/json"},
)
try:
    try:
        answer = urllib.request.urlopen(request, timeout=float(seconds))
    except urllib.error.HTTPError as error:
        answer = error
    text = answer.read(65536)
    with open(path, "wb") as out:
        out.write(text)
    print(answer.getcode())
except Exception as error:
    sys.stderr.write(str(error)[:300] + "\n")
