# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True, auto_pickle=False
"""The loops of :mod:`mllog.delivery.loops.plain`, compiled: one look at each value, by the address of its type.

Events whose inputs are all ordinary or missing, which most are, are written as JSON at once (``Press``); the others
become typed maps. Results are tuples without names, which cost less. Dicts are iterated
by ``PyDict_Next``, which is safe where nobody changes them meanwhile: they are copies that belong to a record, and no
code but ours is called from here.

It is one module, so that what calls the other can be inlined; its parts stand in the files that are included at the end.
"""

import array
import itertools
from zlib import crc32 as zlib_crc32

cimport cython
from cpython cimport array
from cpython.buffer cimport PyBUF_READ
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_Next
from cpython.float cimport PyFloat_AS_DOUBLE
from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_Realloc
from cpython.memoryview cimport PyMemoryView_FromMemory
from cpython.object cimport PyObject, PyObject_Hash
from libc.math cimport fabs, isfinite, isnan
from libc.stdint cimport uint64_t
from libc.string cimport memchr, memcmp, memcpy

import orjson

from mllog import values
from mllog.confidence import MARGIN
from mllog.delivery.loops.plain import EXACT, OUTPUT_SIZE, RECORD_SIZE, VALUE_SIZE, is_numpy, named_tokens
from mllog.fields import KEYWORD_LENGTH
from mllog.ruler import category_key
from mllog.shapes import BLOCKS, LENGTH_EDGES, LETTERS, marks_of

cdef extern from "Python.h":
    bint PyUnicode_CheckExact(object)
    bint PyUnicode_IS_ASCII(object)
    int PyUnicode_KIND(object)
    void* PyUnicode_DATA(object)
    object PyUnicode_FromKindAndData(int, const void*, Py_ssize_t)
    int PyUnicode_Compare(object, object) except? -2
    Py_ssize_t PyUnicode_GET_LENGTH(object)
    Py_UCS4 PyUnicode_READ_CHAR(object, Py_ssize_t)
    Py_UCS4 PyUnicode_READ(int, void*, Py_ssize_t)
    bint Py_UNICODE_ISALPHA(Py_UCS4)
    const char* PyUnicode_AsUTF8AndSize(object, Py_ssize_t*) except NULL
    bint PyFloat_CheckExact(object)
    bint PyFloat_Check(object)
    bint PyLong_CheckExact(object)
    bint PyBool_Check(object)
    long long PyLong_AsLongLongAndOverflow(object, int*) except? -1
    PyObject* item "PyTuple_GET_ITEM"(object, Py_ssize_t)

cdef set NUMPY_TYPES = set()

dumps = orjson.dumps
cdef long long LARGEST_EXACT = EXACT
cdef Py_ssize_t PER_VALUE = VALUE_SIZE
cdef Py_ssize_t LONGEST_TEXT = values.TEXT_LIMIT
cdef Py_ssize_t LONGEST_KEYWORD = KEYWORD_LENGTH
cdef Py_ssize_t LONGEST_NAME = values.NAME_LIMIT
cdef Py_ssize_t PER_RECORD = RECORD_SIZE
cdef Py_ssize_t PER_OUTPUT = OUTPUT_SIZE

cdef enum:
    NOWHERE
    NUMBER
    STRING
    FLAG
    TEXT
    NULL_VALUE
    NAN_VALUE
    INFINITE_VALUE
    TARGETS

cdef enum:
    PROBES = 16

cdef tuple OPENINGS = (
    b"", b',"number":', b',"keyword":', b',"boolean":', b',"text":', b',"null":', b',"nan":', b',"infinite":'
)


include "scalars.pxi"
include "fields.pxi"
include "json.pxi"
include "crc.pxi"
include "words.pxi"
include "shapes.pxi"
include "layouts.pxi"
include "press.pxi"
