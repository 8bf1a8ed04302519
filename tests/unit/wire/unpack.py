#!/usr/bin/env python3
"""Unpacks the recorded sessions into a folder of the build: unpack.py ARCHIVE FOLDER STAMP."""
import sys
import tarfile

with tarfile.open(sys.argv[1]) as archive:
    for member in archive.getmembers():
        if member.isfile() and '..' not in member.name and not member.name.startswith('/'):
            archive.extract(member, sys.argv[2])
open(sys.argv[3], 'w').close()
