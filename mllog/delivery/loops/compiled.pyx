# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True, auto_pickle=False
"""The loops of :mod:`mllog.delivery.loops.plain`, compiled: one look at each value, by the address of its type.

Inputs that are all ordinary or missing, which most are, are written as JSON at once (``write``); the others become
typed maps (``sort``, ``measure``), as in Python. Results are tuples without names, which cost less. Dicts are iterated
by ``PyDict_Next``, which is safe where nobody changes them meanwhile: they are copies that belong to a record, and no
code but ours is called from here.
"""

import array
import itertools

from cpython cimport array
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_Next
from cpython.float cimport PyFloat_AS_DOUBLE
from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_Realloc
from cpython.object cimport PyObject, PyObject_Hash
from libc.math cimport isfinite, isnan
from libc.stdint cimport uint64_t
from libc.string cimport memchr, memcmp, memcpy

import orjson

from mllog import values
from mllog.delivery.loops.plain import EXACT, VALUE_SIZE, is_numpy
from mllog.fields import KEYWORD_LENGTH
from mllog.ruler import category_key

cdef extern from "Python.h":
    bint PyUnicode_CheckExact(object)
    bint PyUnicode_IS_ASCII(object)
    int PyUnicode_KIND(object)
    void* PyUnicode_DATA(object)
    object PyUnicode_FromKindAndData(int, const void*, Py_ssize_t)
    int PyUnicode_Compare(object, object) except? -2
    Py_ssize_t PyUnicode_GET_LENGTH(object)
    Py_UCS4 PyUnicode_READ_CHAR(object, Py_ssize_t)
    const char* PyUnicode_AsUTF8AndSize(object, Py_ssize_t*) except NULL
    bint PyFloat_CheckExact(object)
    bint PyFloat_Check(object)
    bint PyLong_CheckExact(object)
    bint PyBool_Check(object)
    long long PyLong_AsLongLongAndOverflow(object, int*) except? -1
    PyObject* item "PyTuple_GET_ITEM"(object, Py_ssize_t)

cdef set NUMPY_TYPES = set()

dumps = orjson.dumps
Fragment = orjson.Fragment
cdef long long LARGEST_EXACT = EXACT
cdef Py_ssize_t PER_VALUE = VALUE_SIZE
cdef Py_ssize_t LONGEST_TEXT = values.TEXT_LIMIT
cdef Py_ssize_t LONGEST_KEYWORD = KEYWORD_LENGTH

cdef enum Target:
    NOWHERE
    NUMBER
    STRING
    FLAG
    TEXT

cdef enum:
    MAPS = 5
    PROBES = 16

cdef list OPENINGS = [b"", b'"number":{', b'"keyword":{', b'"boolean":{', b'"text":{']


cdef uint64_t FNV_BASIS = 0xCBF29CE484222325
cdef uint64_t FNV_PRIME = 0x100000001B3


cdef inline bint is_space(unsigned char char):
    """As :meth:`str.split` sees ASCII."""
    return char == 0x20 or 0x09 <= char <= 0x0D or 0x1C <= char <= 0x1F


cdef inline bint is_exact(object value):
    """Whether an integer is the same as a float."""
    cdef int overflow = 0
    cdef long long number = PyLong_AsLongLongAndOverflow(value, &overflow)
    return overflow == 0 and -LARGEST_EXACT <= number <= LARGEST_EXACT


cdef inline bint is_clean(object text):
    """Whether UTF-8 can hold a string: it has no lone surrogates."""
    cdef Py_ssize_t k
    cdef Py_UCS4 char
    if PyUnicode_IS_ASCII(text) or PyUnicode_KIND(text) == 1:
        return True
    for k in range(PyUnicode_GET_LENGTH(text)):
        char = PyUnicode_READ_CHAR(text, k)
        if 0xD800 <= char <= 0xDFFF:
            return False
    return True


cdef inline bint is_blank(object text):
    """Whether a string is empty or has nothing but white space."""
    if PyUnicode_GET_LENGTH(text) == 0:
        return True
    cdef Py_UCS4 first = PyUnicode_READ_CHAR(text, 0)
    return (first <= 0x20 or first >= 0x7F) and (<str>text).isspace()


cdef object of_numpy(object value):
    """The Python value of a scalar of numpy's; None for all else."""
    kind = type(value)
    if type(kind) is not type:  # it may refuse to be hashed
        return None
    try:
        if kind in NUMPY_TYPES or is_numpy(kind):
            NUMPY_TYPES.add(kind)
            return PyFloat_AS_DOUBLE(value) if PyFloat_Check(value) else value.item()
    except Exception:
        pass
    return None


def size_of_scalars(inputs):
    """As the other: bytes that a dict of scalars is taken to need, or None."""
    cdef PyObject* key
    cdef PyObject* value
    cdef Py_ssize_t position = 0
    cdef Py_ssize_t size = 0
    cdef dict scalars = <dict?>inputs
    while PyDict_Next(scalars, &position, &key, &value):
        if not PyUnicode_CheckExact(<object>key) or not is_clean(<object>key):
            return None
        size += PyUnicode_GET_LENGTH(<object>key)
        if PyUnicode_CheckExact(<object>value):
            if not is_clean(<object>value):
                return None
            size += PyUnicode_GET_LENGTH(<object>value) * PyUnicode_KIND(<object>value)
        elif PyLong_CheckExact(<object>value):
            if not is_exact(<object>value):
                return None
        elif not (PyFloat_CheckExact(<object>value) or value == <PyObject*>None or PyBool_Check(<object>value)):
            plain = of_numpy(<object>value)
            if plain is None or (PyLong_CheckExact(plain) and not is_exact(plain)):
                return None
            scalars[<object>key] = plain  # an item that is there: the dict isn't laid out anew
    return None if size > LONGEST_TEXT else size + PER_VALUE * len(scalars)


def sort(dict inputs not None, *, bint plain):
    """As the other: inputs by their own types."""
    cdef PyObject* key
    cdef PyObject* value
    cdef Py_ssize_t position = 0
    cdef double number
    cdef dict numbers = {}, texts = {}, flags = {}, odd = {}, missing = {}
    cdef list nulls = None
    while PyDict_Next(inputs, &position, &key, &value):
        name, given = <object>key, <object>value
        if PyFloat_CheckExact(given):
            number = PyFloat_AS_DOUBLE(given)
            if isfinite(number):
                numbers[name] = given
            else:
                (<list>missing.setdefault("nan" if isnan(number) else "infinite", [])).append(name)
        elif PyUnicode_CheckExact(given):
            if PyUnicode_GET_LENGTH(given) <= LONGEST_KEYWORD and not is_blank(given):
                texts[name] = given
            else:
                odd[name] = given
        elif given is None:
            if nulls is None:
                nulls = []
            nulls.append(name)
        elif PyBool_Check(given):
            flags[name] = given
        elif PyLong_CheckExact(given) and is_exact(given):
            numbers[name] = given
        else:
            odd[name] = given
    if nulls is not None:
        missing["null"] = nulls
    return numbers, texts, flags, missing, odd


cdef class Memory:
    """As the other: remembers something for lists of names; looks for them without making the list."""

    cdef Py_ssize_t _limit
    cdef dict _known

    def __init__(self, Py_ssize_t limit):
        self._limit = limit
        self._known = {}

    def __len__(self):
        return len(self._known)

    def get(self, dict inputs not None):
        """What is remembered for the names of ``inputs``, in their order."""
        cdef PyObject* key
        cdef PyObject* value
        cdef Py_ssize_t position = 0
        cdef Py_ssize_t k = 0
        cdef unsigned long long mixed = 0
        while PyDict_Next(inputs, &position, &key, &value):
            if not PyUnicode_CheckExact(<object>key):
                return None
            mixed = mixed * 1000003 ^ <unsigned long long>PyObject_Hash(<object>key)
        entry = self._known.get(mixed)
        if entry is None:
            return None
        cdef tuple names = (<tuple>entry)[0]
        if len(names) != len(inputs):
            return None
        position = 0
        while PyDict_Next(inputs, &position, &key, &value):
            if key != item(names, k) and PyUnicode_Compare(<object>key, <object>item(names, k)) != 0:
                return None
            k += 1
        return (<tuple>entry)[1]

    def put(self, tuple names not None, value):
        """Remember ``value`` for ``names``."""
        cdef unsigned long long mixed = 0
        for name in names:
            if not PyUnicode_CheckExact(name):
                return
            mixed = mixed * 1000003 ^ <unsigned long long>PyObject_Hash(name)
        if len(self._known) >= self._limit:
            self._known.clear()
        self._known[mixed] = (names, value)


cdef struct Buffer:
    char* data
    Py_ssize_t used
    Py_ssize_t room


cdef inline int begin(Buffer* buffer, Py_ssize_t room) except -1:
    buffer.used, buffer.room = 0, room
    buffer.data = <char*>PyMem_Malloc(room)
    if buffer.data == NULL:
        raise MemoryError
    return 0


cdef inline int make_room(Buffer* buffer, Py_ssize_t size) except -1:
    cdef char* data
    if buffer.used + size > buffer.room:
        data = <char*>PyMem_Realloc(buffer.data, 2 * buffer.room + size)
        if data == NULL:
            raise MemoryError
        buffer.data, buffer.room = data, 2 * buffer.room + size
    return 0


cdef inline int put(Buffer* buffer, const char* data, Py_ssize_t size) except -1:
    make_room(buffer, size)
    memcpy(buffer.data + buffer.used, data, size)
    buffer.used += size
    return 0


cdef inline int put_bytes(Buffer* buffer, object data) except -1:
    return put(buffer, PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))


cdef int put_text(Buffer* buffer, object text) except -1:
    """A string as JSON has it: quoted, and escaped where RFC 8259 (section 7) wants it."""
    cdef Py_ssize_t size, k
    cdef Py_ssize_t copied = 0
    cdef unsigned char char
    cdef const char* data
    if PyUnicode_IS_ASCII(text):
        data, size = <const char*>PyUnicode_DATA(text), PyUnicode_GET_LENGTH(text)
    else:
        data = PyUnicode_AsUTF8AndSize(text, &size)
    make_room(buffer, size + 2)
    buffer.data[buffer.used] = c'"'
    buffer.used += 1
    for k in range(size):
        char = <unsigned char>data[k]
        if char < 0x20 or char == c'"' or char == c"\\":
            put(buffer, data + copied, k - copied)
            copied = k + 1
            if char < 0x20:
                put_bytes(buffer, b"\\u00%02x" % char)
            else:
                put(buffer, "\\", 1)
                put(buffer, <char*>&char, 1)
    put(buffer, data + copied, size - copied)
    return put(buffer, '"', 1)


cdef class Words:
    """As the other: strings by which the words of a text are counted; those of ASCII are found without being made."""

    cdef set _all
    cdef PyObject** _table
    cdef uint64_t _mask

    def __cinit__(self):
        self._all = set()
        self._mask = 255
        self._table = <PyObject**>PyMem_Malloc((self._mask + 1) * sizeof(PyObject*))
        if self._table == NULL:
            raise MemoryError
        self._empty()

    def __dealloc__(self):
        PyMem_Free(self._table)

    def __len__(self):
        return len(self._all)

    def __contains__(self, word):
        return word in self._all

    def add(self, str word not None):
        """Know ``word`` from now on."""
        cdef PyObject** table
        if word in self._all:
            return
        self._all.add(word)
        if 2 * <uint64_t>len(self._all) > self._mask:
            table = <PyObject**>PyMem_Realloc(self._table, 4 * (self._mask + 1) * sizeof(PyObject*))
            if table == NULL:
                raise MemoryError
            self._table, self._mask = table, 4 * (self._mask + 1) - 1
            self._empty()
            for known in self._all:
                self._enter(known)
        else:
            self._enter(word)

    def clear(self):
        """Forget all."""
        self._empty()
        self._all.clear()

    def count(self, str text not None):
        """How many of the parts of ``text`` between white space are known, and those that aren't."""
        cdef list new = None
        if not PyUnicode_IS_ASCII(text):
            parts = text.split()
            new = [part for part in parts if part not in self._all]
            return len(parts) - len(new), new
        cdef const unsigned char* data = <const unsigned char*>PyUnicode_DATA(text)
        cdef Py_ssize_t size = PyUnicode_GET_LENGTH(text)
        cdef Py_ssize_t k = 0, first, found = 0
        cdef uint64_t mixed
        while True:
            while k < size and is_space(data[k]):
                k += 1
            if k == size:
                return found, new or ()
            first = k
            mixed = FNV_BASIS
            while k < size and not is_space(data[k]):
                mixed = (mixed ^ data[k]) * FNV_PRIME
                k += 1
            if self._has(data + first, k - first, mixed):
                found += 1
                continue
            part = PyUnicode_FromKindAndData(1, data + first, k - first)
            if part in self._all:  # which had no place in the table
                found += 1
            elif new is None:
                new = [part]
            else:
                new.append(part)

    cdef inline bint _has(self, const unsigned char* word, Py_ssize_t size, uint64_t mixed):
        cdef uint64_t slot = mixed ^ mixed >> 32
        cdef PyObject* known
        cdef int probe
        for probe in range(PROBES):
            known = self._table[(slot + probe) & self._mask]
            if known == NULL:
                return False
            if PyUnicode_GET_LENGTH(<object>known) == size and memcmp(PyUnicode_DATA(<object>known), word, size) == 0:
                return True
        return False

    cdef void _enter(self, object word):
        """Have the table point to a word that ``_all`` keeps; where its places are taken, it isn't found by it."""
        cdef const unsigned char* data
        cdef uint64_t mixed = FNV_BASIS
        cdef Py_ssize_t k
        cdef int probe
        if not PyUnicode_IS_ASCII(word):
            return
        data = <const unsigned char*>PyUnicode_DATA(word)
        for k in range(PyUnicode_GET_LENGTH(word)):
            mixed = (mixed ^ data[k]) * FNV_PRIME
        mixed ^= mixed >> 32
        for probe in range(PROBES):
            if self._table[(mixed + probe) & self._mask] == NULL:
                self._table[(mixed + probe) & self._mask] = <PyObject*>word
                return

    cdef void _empty(self):
        cdef uint64_t k
        for k in range(self._mask + 1):
            self._table[k] = NULL


cdef class Names:
    """As the other: a list of names; writes inputs that are ordinary by their own types."""

    cdef Py_ssize_t _size
    cdef bint _writable
    cdef bytes _keys
    cdef array.array _ends

    def __init__(self, tuple names not None):
        self._writable = all(is_clean(name) for name in names)
        keys = [dumps(name) + b":" if self._writable else b"" for name in names]
        ends = [0, *itertools.accumulate(map(len, keys))]
        self._size = len(keys)
        self._keys = b"".join(keys)
        self._ends = array.array("i", ends)

    def write(self, dict inputs not None):
        """``ml.inputs`` and ``ml.missing`` of inputs of these names; None where one isn't ordinary."""
        cdef PyObject* key
        cdef PyObject** given
        cdef unsigned char* targets
        cdef Py_ssize_t position = 0
        cdef Py_ssize_t k = 0
        cdef double number
        cdef dict missing = {}
        if not self._writable:
            return None
        if len(inputs) != self._size:
            raise ValueError(f"{len(inputs)} inputs for {self._size} names")
        given = <PyObject**>PyMem_Malloc(self._size * (sizeof(PyObject*) + 1) + 1)
        if given == NULL:
            raise MemoryError
        targets = <unsigned char*>(given + self._size)
        try:
            while PyDict_Next(inputs, &position, &key, &given[k]):
                value = <object>given[k]
                if PyFloat_CheckExact(value):
                    number = PyFloat_AS_DOUBLE(value)
                    targets[k] = NUMBER if isfinite(number) else NOWHERE
                    if not isfinite(number):
                        miss(missing, "nan" if isnan(number) else "infinite", <object>key)
                elif PyUnicode_CheckExact(value):
                    if PyUnicode_GET_LENGTH(value) > LONGEST_KEYWORD or not is_clean(value) or is_blank(value):
                        return None
                    targets[k] = STRING
                elif value is None:
                    targets[k] = NOWHERE
                    miss(missing, "null", <object>key)
                elif PyBool_Check(value):
                    targets[k] = FLAG
                elif PyLong_CheckExact(value) and is_exact(value):
                    targets[k] = NUMBER
                else:
                    return None
                k += 1
            return Fragment(self._maps(given, targets)), missing, None, None, ()
        finally:
            PyMem_Free(given)

    cdef bytes _maps(self, PyObject** given, unsigned char* targets):
        """Values as JSON, a map for each target that has some."""
        cdef Buffer buffer
        cdef int counts[MAPS]
        cdef int target
        cdef Py_ssize_t k
        cdef int* ends = self._ends.data.as_ints
        cdef const char* keys = PyBytes_AS_STRING(self._keys)
        cdef const char* number = NULL
        cdef const char* end
        cdef list numbers = []
        for target in range(MAPS):
            counts[target] = 0
        for k in range(self._size):
            counts[targets[k]] += 1
            if targets[k] == NUMBER:
                numbers.append(<object>given[k])
        if numbers:
            # What a float is called is orjson's business: the shortest text that is read as the same.
            listed = dumps(numbers)
            number = PyBytes_AS_STRING(listed) + 1
            end = PyBytes_AS_STRING(listed) + PyBytes_GET_SIZE(listed) - 1
        begin(&buffer, PyBytes_GET_SIZE(self._keys) + 1024)
        try:
            put(&buffer, "{", 1)
            for target in range(NUMBER, MAPS):
                if counts[target] == 0:
                    continue
                put_bytes(&buffer, OPENINGS[target])
                for k in range(self._size):
                    if targets[k] != target:
                        continue
                    put(&buffer, keys + ends[k], ends[k + 1] - ends[k])
                    if target == NUMBER:
                        until = <const char*>memchr(number, c",", end - number)
                        if until == NULL:
                            until = end
                        put(&buffer, number, until - number)
                        number = until + 1
                    elif target == FLAG:
                        put_bytes(&buffer, b"true" if <object>given[k] is True else b"false")
                    else:
                        put_text(&buffer, <object>given[k])
                    put(&buffer, ",", 1)
                buffer.data[buffer.used - 1] = c"}"
                put(&buffer, ",", 1)
            if buffer.data[buffer.used - 1] == c",":
                buffer.used -= 1
            put(&buffer, "}", 1)
            return PyBytes_FromStringAndSize(buffer.data, buffer.used)
        finally:
            PyMem_Free(buffer.data)


cdef inline int miss(dict missing, str kind, object name) except -1:
    cdef list names = missing.get(kind)
    if names is None:
        missing[kind] = [name]
    else:
        names.append(name)
    return 0


cdef inline int bisect_right(double* points, int low, int high, double number):
    """As :func:`bisect.bisect_right`, which finds NaN behind all points."""
    cdef int middle
    while low < high:
        middle = (low + high) // 2
        if number < points[middle]:
            high = middle
        else:
            low = middle + 1
    return low


cdef class Layout(Names):
    """As the other: what the card says of one list of names, here by their position in it."""

    cdef readonly list absent
    cdef readonly list unexpected
    cdef list _texts
    cdef list _ordinary
    cdef list _escaped
    cdef array.array _targets
    cdef array.array _points
    cdef array.array _begins

    def __init__(self, tuple names not None, *, numbers, strings, flags, texts, list absent, list unexpected):
        Names.__init__(self, names)
        self.absent = absent
        self.unexpected = unexpected
        position = {name: k for k, name in enumerate(names)}
        self._texts = [(name, position[name], sentinels, counter) for name, sentinels, counter in texts]
        steps = {name: (NUMBER, cells, points) for name, points, cells in numbers}
        steps |= {name: (STRING, ordinary, ()) for name, ordinary in strings}
        steps |= {name: (FLAG, ordinary, ()) for name, ordinary in flags}
        steps |= {name: (TEXT, None, ()) for name, _, _ in texts}
        targets, points, begins, self._ordinary, self._escaped = [], [], [0], [], []
        for name in names:
            target, ordinary, limits = steps.get(name, (NOWHERE, None, ()))
            targets.append(target)
            self._ordinary.append(ordinary)
            self._escaped.append([cell and dumps(cell) + b"," for cell in ordinary] if target == NUMBER else None)
            points.extend(limits)
            begins.append(len(points))
        self._targets = array.array("i", targets)
        self._points = array.array("d", points)
        self._begins = array.array("i", begins)

    def write(self, dict inputs not None, list more not None):
        """As the other: all that is said of inputs of these names; None where one is neither ordinary nor missing."""
        cdef PyObject* key
        cdef PyObject** given
        cdef unsigned char* targets
        cdef Buffer bins
        cdef Py_ssize_t position = 0
        cdef Py_ssize_t k = 0
        cdef int cell
        cdef int* expected = self._targets.data.as_ints
        cdef dict missing = {}, counts = None
        cdef list unseen = None
        if self.unexpected or not self._writable:
            return None
        if len(inputs) != self._size:
            raise ValueError(f"{len(inputs)} inputs for {self._size} names")
        bins.data = NULL
        given = <PyObject**>PyMem_Malloc(self._size * (sizeof(PyObject*) + 1) + 1)
        if given == NULL:
            raise MemoryError
        targets = <unsigned char*>(given + self._size)
        try:
            begin(&bins, 1024)
            put(&bins, "[", 1)
            while PyDict_Next(inputs, &position, &key, &given[k]):
                value = <object>given[k]
                targets[k] = expected[k]
                if expected[k] == NUMBER:
                    cell = self._cell(k, value)
                    escaped = None if cell < 0 else (<list>self._escaped[k])[cell]
                    if escaped is not None:
                        put_bytes(&bins, escaped)
                    elif not is_null(missing, key, value):
                        return None
                    else:
                        targets[k] = NOWHERE
                elif expected[k] == NOWHERE:
                    return None
                elif expected[k] == FLAG and PyBool_Check(value) and value in self._ordinary[k]:
                    pass
                elif expected[k] == STRING and PyUnicode_CheckExact(value) and value in self._ordinary[k]:
                    pass
                elif expected[k] == TEXT and PyUnicode_CheckExact(value):
                    pass
                elif is_null(missing, key, value):
                    targets[k] = NOWHERE
                else:
                    return None
                k += 1
            for name, place, sentinels, counter in self._texts:
                if targets[<Py_ssize_t>place] == NOWHERE:
                    continue
                text = <object>given[<Py_ssize_t>place]
                if not is_clean(text) or is_blank(text) or (sentinels and category_key(text) in sentinels):
                    return None
                total, strange = counter.count(text)
                if counts is None:
                    counts = {}
                counts[name] = {"tokens": total, "unseen": len(strange)}
                if strange:
                    unseen = [] if unseen is None else unseen
                    unseen.append(strange)
            for name in more:
                put_bytes(&bins, dumps(name))
                put(&bins, ",", 1)
            bins.data[bins.used - 1] = c"]"
            measured = Fragment(PyBytes_FromStringAndSize(bins.data, bins.used)) if bins.used > 1 else None
            return Fragment(self._maps(given, targets)), missing, measured, counts, unseen or ()
        finally:
            PyMem_Free(bins.data)
            PyMem_Free(given)

    def measure(self, dict inputs not None):
        """As the other: takes what is ordinary out of inputs of this layout's names."""
        cdef PyObject* key
        cdef PyObject* value
        cdef Py_ssize_t position = 0
        cdef Py_ssize_t k = -1
        cdef int cell
        cdef int* expected = self._targets.data.as_ints
        cdef dict numbers = {}, strings = {}, flags = {}, texts = {}, counts = {}
        cdef list bins = [], odd = [], unseen = []
        if len(inputs) != self._size:
            raise ValueError(f"{len(inputs)} inputs for {self._size} names")
        while PyDict_Next(inputs, &position, &key, &value):
            k += 1
            name, given = <object>key, <object>value
            if expected[k] == NUMBER:
                cell = self._cell(k, given)
                bin_ = None if cell < 0 else (<tuple>self._ordinary[k])[cell]
                if bin_ is not None:
                    bins.append(bin_)
                    numbers[name] = given
                    continue
            elif expected[k] == STRING and PyUnicode_CheckExact(given) and given in self._ordinary[k]:
                strings[name] = given
                continue
            elif expected[k] == FLAG and PyBool_Check(given) and given in self._ordinary[k]:
                flags[name] = given
                continue
            elif expected[k] == TEXT:
                continue
            odd.append((name, given))
        if self._texts:
            self._read(inputs, texts, counts, unseen, odd)
        return numbers, strings, flags, texts, counts, unseen, bins, odd

    cdef int _cell(self, Py_ssize_t k, object value) except -2:
        """Which bin an ordinary number is in; -1 for what is no number, or none that a float can be."""
        cdef double number
        cdef int overflow = 0
        cdef int* begins = self._begins.data.as_ints
        if PyFloat_CheckExact(value):
            number = PyFloat_AS_DOUBLE(value)
        elif PyLong_CheckExact(value) and is_exact(value):
            number = <double>PyLong_AsLongLongAndOverflow(value, &overflow)
        else:
            return -1
        return bisect_right(self._points.data.as_doubles, begins[k], begins[k + 1], number) - begins[k]

    cdef int _read(self, dict inputs, dict texts, dict counts, list unseen, list odd) except -1:
        """Texts, in the order in which tokens are named."""
        cdef Py_ssize_t before = len(odd)
        for name, _, sentinels, counter in self._texts:
            text = inputs[name]
            if PyUnicode_CheckExact(text) and not (sentinels and category_key(text) in sentinels):
                total, strange = counter.count(text)
                if total or not is_blank(text):
                    texts[name] = text
                    counts[name] = {"tokens": total, "unseen": len(strange)}
                    if strange:
                        unseen.append(strange)
                    continue
            odd.append((name, text))
        if len(odd) > before and len(odd) > 1:
            order = {name: k for k, name in enumerate(inputs)}
            odd.sort(key=lambda pair: order[pair[0]])
        return 0


cdef inline bint is_null(dict missing, PyObject* key, object value) except -1:
    """Whether a value is null or NaN; then its name is kept as such."""
    if value is None:
        miss(missing, "null", <object>key)
        return True
    if PyFloat_CheckExact(value) and isnan(PyFloat_AS_DOUBLE(value)):
        miss(missing, "nan", <object>key)
        return True
    return False
