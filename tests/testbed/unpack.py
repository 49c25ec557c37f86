"""Take the jars of one Flink release out of its Python package.

    unpack.py ARCHIVE SHA256|- TARGET

Both forms are read: the sdist (deps/lib/*.jar in a tar.gz) and the wheel (pyflink/lib/*.jar in a
zip). Nothing is taken from an archive whose digest differs; '-' takes any. Prints the digest.
"""

import hashlib
import pathlib
import shutil
import sys
import tarfile
import zipfile


def digest(archive):
    hasher = hashlib.sha256()
    with open(archive, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            hasher.update(block)
    return hasher.hexdigest()


def members(archive):
    """Yield (name, open file) of everything below a lib folder."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as bundle:
            for name in bundle.namelist():
                yield name, lambda name=name: bundle.open(name)
    else:
        with tarfile.open(archive) as bundle:
            for member in bundle:
                if member.isfile():
                    yield member.name, lambda member=member: bundle.extractfile(member)


def main(archive, expected, target):
    found = digest(archive)
    if expected not in ("-", found):
        sys.exit(f"{archive}: sha256 is {found}, expected {expected}")
    target = pathlib.Path(target)
    target.mkdir(parents=True)
    count = 0
    for name, open_member in members(archive):
        path = pathlib.PurePosixPath(name)
        if path.parent.name == "lib" and path.suffix == ".jar":
            with open_member() as source, open(target / path.name, "wb") as jar:
                shutil.copyfileobj(source, jar, 1 << 20)
            count += 1
    if count == 0:
        sys.exit(f"{archive}: holds no lib/*.jar")
    print(found)


if __name__ == "__main__":
    main(*sys.argv[1:])
