# Unpacks model/ of an archive into a fresh folder, and nothing that could reach beyond it:
# ARCHIVE FOLDER MAX-ENTRIES MAX-BYTES FREE-BYTES. Refuses with "CODE MESSAGE" on stdout and status 3.
import errno
import os
import re
import shutil
import stat
import sys
import zipfile
import zlib

archive, folder, most_entries, most_bytes, free = sys.argv[1:6]
AIR = 32 << 20


def refuse(code, why):
    shutil.rmtree(folder, ignore_errors=True)
    line = "%s %s" % (code, re.sub(r"[\x00-\x1f\x7f]", "?", why)[:400])
    sys.stdout.buffer.write((line + "\n").encode("utf-8", "replace"))
    sys.stdout.flush()
    sys.exit(3)


def clean(info):
    """The entry's path below the folder, as parts."""
    name = info.orig_filename
    if re.search(r"[\x00-\x1f\x7f\\]", name) or name.startswith("/") or re.match("[A-Za-z]:", name):
        refuse("archive_unsafe", "a path that is not allowed: " + name)
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        refuse("archive_unsafe", "a path that leaves the folder: " + name)
    if any(len(part.encode("utf-8", "replace")) > 255 for part in parts) or len(name) > 3000:
        refuse("archive_unsafe", "a name that is too long: " + name[:80])
    return tuple(parts)


def kind_of(info):
    """file, dir or link, by the Unix mode where there is one."""
    mode = info.external_attr >> 16
    kinds = {0: "dir" if info.filename.endswith("/") else "file", stat.S_IFREG: "file", stat.S_IFDIR: "dir", stat.S_IFLNK: "link"}
    kind = kinds.get(stat.S_IFMT(mode))
    if kind is None or (kind == "file" and info.filename.endswith("/")):
        refuse("archive_unsafe", "a special file: " + info.filename)
    return kind


def check(infos):
    """All entries, before a byte is written."""
    if len(infos) > int(most_entries):
        refuse("archive_too_large", "%d entries, allowed are %s" % (len(infos), most_entries))
    entries, files, dirs, tops, total = [], set(), set(), set(), 0
    for info in infos:
        parts, kind = clean(info), kind_of(info)
        if not parts:
            continue
        if info.flag_bits & 0x1:
            refuse("archive_unsupported", "the entry %s is encrypted" % info.filename)
        total += info.file_size
        tops.add(parts[0])
        dirs.update(parts[:depth] for depth in range(1, len(parts)))
        if kind == "dir":
            dirs.add(parts)
        elif parts in files:
            refuse("archive_unsafe", "two entries are named " + "/".join(parts))
        else:
            files.add(parts)
        entries.append((parts, kind, info))
    both = files & dirs
    if both:
        refuse("archive_unsafe", "both a file and a folder: " + "/".join(sorted(both)[0]))
    if total > int(most_bytes):
        refuse("archive_too_large", "unpacks to %d bytes, allowed are %s" % (total, most_bytes))
    if free and total + AIR > int(free):
        refuse("disk_full", "unpacks to %d bytes, %s are free" % (total, free))
    if ("model",) not in dirs:
        refuse("script_missing", "the archive has no folder model/ at its top; there is: " + ", ".join(sorted(tops)[:8]))
    if ("model", "script.sh") not in files:
        refuse("script_missing", "the archive has no file model/script.sh")
    return [entry for entry in entries if entry[0][0] == "model"], int(most_bytes)


def write(source, entries, room):
    """Files first, then links, so that no file is written through a link."""
    links = []
    for parts, kind, info in entries:
        path = os.path.join(folder, *parts)
        if kind == "link":
            links.append((path, info))
            continue
        os.makedirs(path if kind == "dir" else os.path.dirname(path), 0o755, exist_ok=True)
        if kind == "dir":
            continue
        mode = (info.external_attr >> 16) & 0o777
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
        with source.open(info) as packed, os.fdopen(os.open(path, flags, 0o600), "wb") as out:
            while True:
                piece = packed.read(1 << 18)
                if not piece:
                    break
                room -= len(piece)
                if room < 0:
                    refuse("archive_too_large", "unpacks to more than %s bytes" % most_bytes)
                out.write(piece)
            os.fchmod(out.fileno(), (mode or 0o644) | 0o600)
    top = os.path.realpath(os.path.join(folder, "model"))
    for path, info in links:
        target = source.read(info) if info.file_size <= 4096 else b""
        if not target or b"\0" in target or target.startswith(b"/"):
            refuse("archive_unsafe", "a link that leaves the folder: " + info.filename)
        os.makedirs(os.path.dirname(path), 0o755, exist_ok=True)
        os.symlink(os.fsdecode(target), path)
    # Only now can be told where links over links lead.
    for path, info in links:
        if os.path.commonpath([top, os.path.realpath(path)]) != top:
            refuse("archive_unsafe", "a link that leaves the folder: " + info.filename)


try:
    with zipfile.ZipFile(archive) as source:
        write(source, *check(source.infolist()))
except zipfile.BadZipFile as error:
    with open(archive, "rb") as blob:
        start = blob.read(16).decode("ascii", "replace")
    if start.startswith("PK") or zipfile.is_zipfile(archive):
        refuse("archive_corrupt", "the archive is damaged or its end is missing: %s" % error)
    start = "".join(c if " " <= c <= "~" else "." for c in start)
    refuse("not_a_zip", "the blob is not a zip archive (it begins with %r)" % start)
except (zlib.error, EOFError) as error:
    refuse("archive_corrupt", "an entry cannot be unpacked: %s" % error)
except (NotImplementedError, RuntimeError) as error:
    refuse("archive_unsupported", str(error))
except OSError as error:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        refuse("disk_full", "no space left to unpack")
    # Damaged data shows as this, too: from bz2 without an errno, from offsets that point nowhere as EINVAL.
    refuse("archive_corrupt" if error.errno in (None, errno.EINVAL) else "unpack_failed", str(error))
except MemoryError:
    refuse("unpack_failed", "not enough memory to unpack")
except Exception as error:  # what else a hostile archive brings out of the decoders
    refuse("archive_corrupt", "an entry cannot be unpacked: %r" % error)
