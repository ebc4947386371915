# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True, auto_pickle=False
"""The loops of :mod:`mllog.delivery.loops.plain`, compiled: one look at each value, by the address of its type.

Events whose inputs are all ordinary or missing, which most are, are written as JSON at once (``Press``); the others
become typed maps (``sort``, ``measure``), as in Python. Results are tuples without names, which cost less. Dicts are iterated
by ``PyDict_Next``, which is safe where nobody changes them meanwhile: they are copies that belong to a record, and no
code but ours is called from here.
"""

import array
import itertools

cimport cython
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
from mllog.delivery.loops.plain import EXACT, OUTPUT_SIZE, RECORD_SIZE, VALUE_SIZE, is_numpy, named_tokens
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
    cdef Py_ssize_t size = measured_scalars(<dict?>inputs)
    return None if size < 0 else size


cdef Py_ssize_t measured_scalars(dict scalars) except -2:
    """Bytes that scalars are taken to need, those of numpy's turned into Python's; -1 where there is anything else."""
    cdef PyObject* key
    cdef PyObject* value
    cdef Py_ssize_t position = 0
    cdef Py_ssize_t size = 0
    while PyDict_Next(scalars, &position, &key, &value):
        if not PyUnicode_CheckExact(<object>key) or not is_clean(<object>key):
            return -1
        size += PyUnicode_GET_LENGTH(<object>key)
        if PyUnicode_CheckExact(<object>value):
            if not is_clean(<object>value):
                return -1
            size += PyUnicode_GET_LENGTH(<object>value) * PyUnicode_KIND(<object>value)
        elif PyLong_CheckExact(<object>value):
            if not is_exact(<object>value):
                return -1
        elif not (PyFloat_CheckExact(<object>value) or value == <PyObject*>None or PyBool_Check(<object>value)):
            plain = of_numpy(<object>value)
            if plain is None or (PyLong_CheckExact(plain) and not is_exact(plain)):
                return -1
            scalars[<object>key] = plain  # an item that is there: the dict isn't laid out anew
    return -1 if size > LONGEST_TEXT else size + PER_VALUE * len(scalars)


@cython.no_gc
cdef class Fields:
    """As the other: what a record holds, read here without asking Python.

    The collector needn't look at records, which refer to copies and never to what refers to them.
    """

    cdef public object kind, action, time, id, number, size, outcome, duration, prediction_id, trace_id, error
    cdef public object labels, body, message, held, plain, output, truncated, replaced, user, context, sample, weight

    def __init__(self, kind, action, time, id, number):
        self.kind, self.action, self.time, self.id, self.number = kind, action, time, id, number
        self.size, self.outcome, self.plain, self.weight = PER_RECORD, "success", False, 1.0

    def hold_scalars(self, dict inputs not None):
        """As the other."""
        cdef dict copy = inputs.copy()
        cdef Py_ssize_t size = measured_scalars(copy)
        if size < 0:
            return False
        self.held, self.plain, self.size = copy, True, PER_RECORD + size
        return True

    def hold_usual(self, dict output not None):
        """As the other."""
        cdef PyObject* key
        cdef PyObject* value
        cdef Py_ssize_t position = 0
        cdef dict copy = output.copy()
        while PyDict_Next(copy, &position, &key, &value):
            if not PyUnicode_CheckExact(<object>key):
                return False
            if not (
                PyFloat_CheckExact(<object>value)
                or PyBool_Check(<object>value)
                or (PyUnicode_CheckExact(<object>value) and PyUnicode_GET_LENGTH(<object>value) <= LONGEST_NAME)
            ):
                return False
            if PyUnicode_GET_LENGTH(<object>key) > LONGEST_NAME or is_blank(<object>key):
                return False
        self.output = copy
        self.size = <Py_ssize_t>self.size + PER_OUTPUT
        return True


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


cdef inline int put_bytes(Buffer* buffer, bytes data) except -1:
    return put(buffer, PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))


cdef inline int end_with(Buffer* buffer, char char) except -1:
    """Put ``char``, in the place of a comma where one is last."""
    if buffer.data[buffer.used - 1] == c",":
        buffer.used -= 1
    return put(buffer, &char, 1)


cdef inline int put_number(Buffer* buffer, long long number, int digits = 1) except -1:
    """An integer that isn't negative, with leading zeros up to ``digits``."""
    cdef char[24] text
    cdef int k = 24
    while number or digits > 0:
        k -= 1
        digits -= 1
        text[k] = c"0" + <char>(number % 10)
        number //= 10
    return put(buffer, text + k, 24 - k)


cdef uint64_t ONES = 0x0101010101010101
cdef uint64_t HIGHEST_BITS = 0x8080808080808080


cdef inline bint needs_escape(uint64_t eight):
    """Whether one of eight characters is a quote, a backslash or below 0x20; may be said of others above 0x7F too."""
    cdef uint64_t quotes = eight ^ 0x22 * ONES
    cdef uint64_t slashes = eight ^ 0x5C * ONES
    cdef uint64_t low = eight - 0x20 * ONES
    quotes -= ONES
    slashes -= ONES
    # A subtraction that borrows sets the highest bit; where one borrows from its neighbour, that one was found as well.
    return ((low | quotes | slashes | eight) & HIGHEST_BITS) != 0


cdef int put_text(Buffer* buffer, object text) except -1:
    """A string as JSON has it: quoted, and escaped where RFC 8259 (section 7) wants it."""
    cdef Py_ssize_t size, k
    cdef Py_ssize_t copied = 0
    cdef unsigned char char
    cdef uint64_t eight
    cdef const char* data
    if PyUnicode_IS_ASCII(text):
        data, size = <const char*>PyUnicode_DATA(text), PyUnicode_GET_LENGTH(text)
    else:
        data = PyUnicode_AsUTF8AndSize(text, &size)
    make_room(buffer, size + 2)
    buffer.data[buffer.used] = c'"'
    buffer.used += 1
    k = 0
    while k < size:
        if size - k >= 8:
            memcpy(&eight, data + k, 8)
            if not needs_escape(eight):
                k += 8
                continue
        char = <unsigned char>data[k]
        if char < 0x20 or char == c'"' or char == c"\\":
            put(buffer, data + copied, k - copied)
            copied = k + 1
            if char < 0x20:
                put_bytes(buffer, b"\\u00%02x" % char)
            else:
                put(buffer, "\\", 1)
                put(buffer, <char*>&char, 1)
        k += 1
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
        cdef Py_ssize_t found = 0
        new = self.tally(text, &found)
        return found, new

    cdef object tally(self, str text, Py_ssize_t* known):
        """Parts of ``text`` that aren't known, and in ``known`` how many are."""
        cdef list new = None
        if not PyUnicode_IS_ASCII(text):
            parts = text.split()
            new = [part for part in parts if part not in self._all]
            known[0] = len(parts) - len(new)
            return new
        cdef const unsigned char* data = <const unsigned char*>PyUnicode_DATA(text)
        cdef Py_ssize_t size = PyUnicode_GET_LENGTH(text)
        cdef Py_ssize_t k = 0, first, found = 0
        cdef uint64_t mixed
        while True:
            while k < size and is_space(data[k]):
                k += 1
            if k == size:
                known[0] = found
                return new or ()
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


cdef struct Page:
    # What is written, and where each of the inputs goes.
    Buffer line
    Buffer bins
    Buffer words
    PyObject** given
    unsigned char* targets


cdef class Names:
    """As the other: a list of names; knows which inputs are ordinary by their own types."""

    cdef Py_ssize_t _size
    cdef bint _writable
    cdef bytes _keys
    cdef bytes _absent
    cdef array.array _ends

    def __init__(self, tuple names not None):
        self._writable = all(is_clean(name) for name in names)
        keys = [b"," + dumps(name) + b":" if self._writable else b"" for name in names]
        ends = [0, *itertools.accumulate(map(len, keys))]
        self._size = len(keys)
        self._keys = b"".join(keys)
        self._ends = array.array("i", ends)

    cdef bint look(self, dict inputs, Page* page, list unseen) except -1:
        """Say of each of ``inputs`` where it goes; False where one isn't ordinary."""
        cdef PyObject* key
        cdef Py_ssize_t position = 0
        cdef Py_ssize_t k = 0
        cdef double number
        while PyDict_Next(inputs, &position, &key, &page.given[k]):
            value = <object>page.given[k]
            if PyFloat_CheckExact(value):
                number = PyFloat_AS_DOUBLE(value)
                page.targets[k] = NUMBER if isfinite(number) else NAN_VALUE if isnan(number) else INFINITE_VALUE
            elif PyUnicode_CheckExact(value):
                if PyUnicode_GET_LENGTH(value) > LONGEST_KEYWORD or not is_clean(value) or is_blank(value):
                    return False
                page.targets[k] = STRING
            elif value is None:
                page.targets[k] = NULL_VALUE
            elif PyBool_Check(value):
                page.targets[k] = FLAG
            elif PyLong_CheckExact(value) and is_exact(value):
                page.targets[k] = NUMBER
            else:
                return False
            k += 1
        return True

    cdef const char* put_inputs(self, Page* page, bytes listed) except NULL:
        """``ml.inputs`` and ``ml.missing``; what is left of ``listed`` behind the inputs' numbers."""
        cdef Buffer* line = &page.line
        cdef int counts[TARGETS]
        cdef int target
        cdef Py_ssize_t k, outer, inner
        cdef int* ends = self._ends.data.as_ints
        cdef const char* keys = PyBytes_AS_STRING(self._keys)
        cdef const char* number = PyBytes_AS_STRING(listed) + 1
        cdef const char* last = PyBytes_AS_STRING(listed) + PyBytes_GET_SIZE(listed) - 1
        cdef const char* until
        for target in range(TARGETS):
            counts[target] = 0
        for k in range(self._size):
            counts[page.targets[k]] += 1
        put(line, b'"inputs":', 9)
        outer = line.used
        for target in range(NUMBER, NULL_VALUE):
            if counts[target] == 0:
                continue
            put_bytes(line, <bytes>item(OPENINGS, target))
            inner = line.used
            for k in range(self._size):
                if page.targets[k] != target:
                    continue
                put(line, keys + ends[k], ends[k + 1] - ends[k])
                if target == NUMBER:
                    until = <const char*>memchr(number, c",", last - number)
                    if until == NULL:
                        until = last
                    put(line, number, until - number)
                    number = until + 1
                elif target == FLAG:
                    if <object>page.given[k] is True:
                        put(line, b"true", 4)
                    else:
                        put(line, b"false", 5)
                else:
                    put_text(line, <object>page.given[k])
            line.data[inner] = c"{"  # for the first comma
            put(line, b"}", 1)
        if line.used == outer:
            put(line, b",", 1)
        line.data[outer] = c"{"
        put(line, b"}", 1)
        if counts[NULL_VALUE] + counts[NAN_VALUE] + counts[INFINITE_VALUE] == 0 and self._absent is None:
            return number
        put(line, b',"missing":', 11)
        outer = line.used
        for target in range(NULL_VALUE, TARGETS):
            if counts[target] == 0:
                continue
            put_bytes(line, <bytes>item(OPENINGS, target))
            inner = line.used
            for k in range(self._size):
                if page.targets[k] == target:
                    put(line, keys + ends[k], ends[k + 1] - ends[k] - 1)
            line.data[inner] = c"["
            put(line, b"]", 1)
        if self._absent is not None:
            put_bytes(line, self._absent)
        line.data[outer] = c"{"
        put(line, b"}", 1)
        return number


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


cdef class Cells:
    """Where the numbers of a feature are ordinary, for all layouts: hundreds of them must not fill the caches."""

    cdef array.array points
    cdef tuple names
    cdef tuple escaped

    def __init__(self, points, names):
        self.points = array.array("d", points)
        self.names = tuple(names)
        self.escaped = tuple([name and dumps(name) + b"," for name in names])


cdef inline int cell_of(Cells cells, object value) except -2:
    """Which bin an ordinary number is in; -1 for what is no number, or none that a float can be."""
    cdef double number
    cdef int overflow = 0
    if PyFloat_CheckExact(value):
        number = PyFloat_AS_DOUBLE(value)
    elif PyLong_CheckExact(value) and is_exact(value):
        number = <double>PyLong_AsLongLongAndOverflow(value, &overflow)
    else:
        return -1
    return bisect_right(cells.points.data.as_doubles, 0, len(cells.points), number)


cdef dict SHARED = {}


cdef Cells cells_of(tuple points, tuple names):
    found = SHARED.get((points, names))
    if found is None:
        if len(SHARED) >= 10_000:
            SHARED.clear()
        found = SHARED[points, names] = Cells(points, names)
    return found


cdef class Layout(Names):
    """As the other: what the card says of one list of names, here by their position in it."""

    cdef readonly list absent
    cdef readonly list unexpected
    cdef list _texts
    cdef tuple _ordinary
    cdef array.array _targets

    def __init__(self, tuple names not None, *, numbers, strings, flags, texts, list absent, list unexpected):
        Names.__init__(self, names)
        self.absent = absent
        self.unexpected = unexpected
        if absent:
            self._absent = b',"absent":' + dumps([values.strict(name) for name in absent])
        # Those that don't fit into UTF-8 must be marked.
        self._writable = self._writable and not unexpected and all([is_clean(name) for name in absent])
        position = {name: k for k, name in enumerate(names)}
        self._texts = [
            (name, dumps(values.strict(name)) + b":", position[name], sentinels, counter)
            for name, sentinels, counter in texts
        ]
        steps = {name: (NUMBER, cells_of(points, cells)) for name, points, cells in numbers}
        steps |= {name: (STRING, ordinary) for name, ordinary in strings}
        steps |= {name: (FLAG, ordinary) for name, ordinary in flags}
        steps |= {name: (TEXT, None) for name, _, _ in texts}
        found = [steps.get(name, (NOWHERE, None)) for name in names]
        self._targets = array.array("i", [target for target, _ in found])
        self._ordinary = tuple([ordinary for _, ordinary in found])

    cdef bint look(self, dict inputs, Page* page, list unseen) except -1:
        """By the card; bins and words are written on the way."""
        cdef PyObject* key
        cdef Py_ssize_t position = 0
        cdef Py_ssize_t k = 0
        cdef int cell, target
        cdef Cells cells
        cdef int* expected = self._targets.data.as_ints
        cdef PyObject* escaped
        while PyDict_Next(inputs, &position, &key, &page.given[k]):
            value = <object>page.given[k]
            target = expected[k]
            if target == NUMBER:
                cells = <Cells>item(self._ordinary, k)
                cell = cell_of(cells, value)
                escaped = <PyObject*>None if cell < 0 else item(cells.escaped, cell)
                if escaped == <PyObject*>None:
                    target = of_missing(value)
                else:
                    put_bytes(&page.bins, <bytes>escaped)
            elif target == STRING and PyUnicode_CheckExact(value) and value in <object>item(self._ordinary, k):
                pass
            elif target == FLAG and PyBool_Check(value) and value in <object>item(self._ordinary, k):
                pass
            elif target == TEXT and PyUnicode_CheckExact(value):
                pass
            elif target == NOWHERE:
                return False
            else:
                target = of_missing(value)
            if target == NOWHERE:
                return False
            page.targets[k] = target
            k += 1
        return self._read_at_once(page, unseen)

    cdef bint _read_at_once(self, Page* page, list unseen) except -1:
        """Words of the texts, in the order in which tokens are named."""
        cdef Py_ssize_t total
        for name, escaped, place, sentinels, counter in self._texts:
            if page.targets[<Py_ssize_t>place] != TEXT:
                continue
            text = <object>page.given[<Py_ssize_t>place]
            if not is_clean(text) or is_blank(text) or (sentinels and category_key(text) in sentinels):
                return False
            familiar = counter.familiar
            total = 0
            strange = (<Words?>familiar).tally(text, &total)
            if strange:
                counted, strange = counter.finish(total, strange)
                total = counted
                if strange:
                    unseen.append(strange)
            put_bytes(&page.words, escaped)
            put(&page.words, b'{"tokens":', 10)
            put_number(&page.words, total)
            put(&page.words, b',"unseen":', 10)
            put_number(&page.words, len(strange))
            put(&page.words, b"},", 2)
        return True

    def measure(self, dict inputs not None):
        """As the other: takes what is ordinary out of inputs of this layout's names."""
        cdef PyObject* key
        cdef PyObject* value
        cdef Py_ssize_t position = 0
        cdef Py_ssize_t k = -1
        cdef int cell
        cdef Cells cells
        cdef int* expected = self._targets.data.as_ints
        cdef dict numbers = {}, strings = {}, flags = {}, texts = {}, counts = {}
        cdef list bins = [], odd = [], unseen = []
        if len(inputs) != self._size:
            raise ValueError(f"{len(inputs)} inputs for {self._size} names")
        while PyDict_Next(inputs, &position, &key, &value):
            k += 1
            name, given = <object>key, <object>value
            if expected[k] == NUMBER:
                cells = <Cells>item(self._ordinary, k)
                cell = cell_of(cells, given)
                bin_ = None if cell < 0 else <object>item(cells.names, cell)
                if bin_ is not None:
                    bins.append(bin_)
                    numbers[name] = given
                    continue
            elif expected[k] == STRING and PyUnicode_CheckExact(given) and given in <object>item(self._ordinary, k):
                strings[name] = given
                continue
            elif expected[k] == FLAG and PyBool_Check(given) and given in <object>item(self._ordinary, k):
                flags[name] = given
                continue
            elif expected[k] == TEXT:
                continue
            odd.append((name, given))
        if self._texts:
            self._read(inputs, texts, counts, unseen, odd)
        return numbers, strings, flags, texts, counts, unseen, bins, odd

    cdef int _read(self, dict inputs, dict texts, dict counts, list unseen, list odd) except -1:
        """Texts, in the order in which tokens are named."""
        cdef Py_ssize_t before = len(odd)
        for name, _, _, sentinels, counter in self._texts:
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


cdef inline int of_missing(object value):
    """The target of a value that is null or NaN; NOWHERE for any other."""
    if value is None:
        return NULL_VALUE
    if PyFloat_CheckExact(value) and isnan(PyFloat_AS_DOUBLE(value)):
        return NAN_VALUE
    return NOWHERE


cdef class Press:
    """As the other: writes whole lines."""

    cdef Memory _memory
    cdef object _time_text, _outputs_of, _beside
    cdef bytes _card, _prefix
    cdef long long _begun
    cdef list _outputs
    cdef tuple _latency

    def __init__(self, Memory memory not None, *, time_text, outputs_of, beside, card, outputs, latency):
        self._memory = memory
        self._time_text, self._outputs_of, self._beside = time_text, outputs_of, beside
        self._card = b"" if card is None else b'"card":' + dumps(card) + b","
        self._begun, self._prefix = 1, b""
        self._outputs = [(name, array.array("d", edges), escaped_cells(cells)) for name, edges, cells in outputs]
        self._latency = None if latency is None else (array.array("d", latency[0]), escaped_cells(latency[1]))

    def line(self, Fields record not None, tuple frame not None):
        """As the other."""
        cdef Page page
        cdef Names names
        if type(record.held) is not dict:
            return None
        remembered = self._memory.get(<dict>record.held)
        if remembered is None or not (<Names?>remembered)._writable:
            return None
        names = <Names>remembered
        page.line.data = page.bins.data = page.words.data = NULL
        page.given = <PyObject**>PyMem_Malloc(names._size * (sizeof(PyObject*) + 1) + 1)
        if page.given == NULL:
            raise MemoryError
        page.targets = <unsigned char*>(page.given + names._size)
        try:
            begin(&page.line, 4096)
            begin(&page.bins, 1024)
            begin(&page.words, 256)
            if not self._put_all(record, frame, names, &page):
                return None
            return PyBytes_FromStringAndSize(page.line.data, page.line.used)
        except TypeError:
            return None  # of dumps: lone surrogates, which the encoder finds and marks
        finally:
            PyMem_Free(page.line.data)
            PyMem_Free(page.bins.data)
            PyMem_Free(page.words.data)
            PyMem_Free(page.given)

    cdef bint _put_all(self, Fields record, tuple frame, Names names, Page* page) except -1:
        cdef Buffer* line = &page.line
        cdef dict inputs = <dict>record.held
        cdef Py_ssize_t k
        cdef list unseen = []
        cdef const char* left
        if len(inputs) != names._size or not names.look(inputs, page, unseen):
            return False
        numbers = []
        for k in range(names._size):
            if page.targets[k] == NUMBER:
                numbers.append(<object>page.given[k])
        outputs, explanation, label, score = record.output, None, None, None
        if type(outputs) is dict and len(<dict>outputs) == 2:
            label, score = (<dict>outputs).get("label"), (<dict>outputs).get("score")
        if (
            type(score) is float and isfinite(<double>score) and type(label) is str and PyUnicode_IS_ASCII(label)
        ):
            numbers.append(score)
        else:
            label = None
            outputs, explanation, replaced = self._outputs_of(outputs)
            if replaced:
                return False
        if not self._put_head(line, record, frame):
            return False
        if record.prediction_id is not None:
            if not is_clean(record.prediction_id):
                return False
            put(line, b'"prediction_id":', 16)
            put_text(line, record.prediction_id)
            put(line, b",", 1)
        if record.sample is not None:
            put_members(line, {"sample": record.sample, "weight": record.weight})
        if record.body:
            put_members(line, record.body)
        # What a float is called is orjson's business: the shortest text that is read as the same.
        listed = dumps(numbers)
        left = names.put_inputs(page, listed)
        put(line, b",", 1)
        if page.words.used:
            put(line, b'"text":{', 8)
            put(line, page.words.data, page.words.used - 1)
            put(line, b"},", 2)
        if unseen:
            put_members(line, {"unseen_tokens": named_tokens(unseen)})
        self._put_bins(page, record, outputs)
        put_bytes(line, self._card)
        if label is not None:
            put(line, b'"outputs":{"label":', 19)
            put_text(line, label)
            put(line, b',"score":', 9)
            put(line, left, PyBytes_AS_STRING(listed) + PyBytes_GET_SIZE(listed) - 1 - left)
            put(line, b"},", 2)
        elif outputs:
            put_members(line, {"outputs": outputs})
        if explanation is not None:
            put_members(line, {"explanation": explanation})
        if record.truncated:
            put_members(line, {"truncated": record.truncated})
        if record.replaced:
            put_members(line, {"replaced": record.replaced})
        end_with(line, c"}")
        put_bytes(line, <bytes>frame[2])
        return self._put_beside(line, record)

    cdef bint _put_head(self, Buffer* line, Fields record, tuple frame) except -1:
        """What stands before the inputs, but for the caller's id."""
        cdef int overflow = 0
        cdef long long time = PyLong_AsLongLongAndOverflow(record.time, &overflow)
        if overflow:
            return False
        if not self._begun <= time < self._begun + 1_000_000_000 or not self._prefix:
            text = self._time_text(record.time)
            if time < 0 or time // 1_000_000_000 > 253_402_300_799:
                return False
            self._begun, self._prefix = time - time % 1_000_000_000, text[:20].encode()
        put(line, b'{"@timestamp":"', 15)
        put_bytes(line, self._prefix)
        put_number(line, (time - self._begun) // 1_000, 6)
        put(line, b'Z","event":{"id":"', 18)
        put_ascii(line, record.id)
        put(line, b'","outcome":"', 13)
        put_ascii(line, record.outcome)
        put(line, b'",', 2)
        if record.duration is not None:
            time = PyLong_AsLongLongAndOverflow(record.duration, &overflow)
            if overflow or time < 0:
                return False
            put(line, b'"duration":', 11)
            put_number(line, time)
            put(line, b",", 1)
        put_bytes(line, <bytes>frame[0])
        time = PyLong_AsLongLongAndOverflow(record.number, &overflow)
        if overflow or time < 0:
            return False
        put_number(line, time)
        put(line, b",", 1)
        put_bytes(line, <bytes>frame[1])
        return True

    cdef int _put_bins(self, Page* page, Fields record, outputs) except -1:
        """Bins of the inputs, and of what the model gave and how long it took."""
        cdef Buffer* bins = &page.bins
        cdef array.array edges
        for name, found, cells in self._outputs:
            number = (<dict>outputs).get(name)
            if number is not None:
                edges = found
                put_bytes(bins, (<tuple>cells)[bisect_right(edges.data.as_doubles, 0, len(edges), number)])
        if self._latency is not None and record.duration is not None:
            edges, cells = self._latency
            put_bytes(bins, (<tuple>cells)[bisect_right(edges.data.as_doubles, 0, len(edges), record.duration / 1e9)])
        if bins.used:
            put(&page.line, b'"bins":[', 8)
            put(&page.line, bins.data, bins.used - 1)
            put(&page.line, b"],", 2)
        return 0

    cdef bint _put_beside(self, Buffer* line, Fields record) except -1:
        """What stands beside ``ml``, and the end."""
        if (
            record.context is not None
            or record.trace_id is not None
            or record.user is not None
            or record.error is not None
            or record.labels is not None
        ):
            beside = self._beside(record)
            if beside:
                put(line, b",", 1)
                put_members(line, beside)
                line.used -= 1
        elif record.message is not None:
            if not is_clean(record.message):
                return False
            put(line, b',"message":', 11)
            put_text(line, record.message)
        put(line, b"}\n", 2)
        return True


cdef int put_members(Buffer* line, dict members) except -1:
    """Members of an object, and a comma."""
    written = dumps(members)
    put(line, PyBytes_AS_STRING(written) + 1, PyBytes_GET_SIZE(written) - 2)
    return put(line, b",", 1)


cdef inline int put_ascii(Buffer* line, str text) except -1:
    """A string that is known to be ASCII, and to need no escapes."""
    return put(line, <const char*>PyUnicode_DATA(text), PyUnicode_GET_LENGTH(text))


cdef tuple escaped_cells(cells):
    return tuple([dumps(cell) + b"," for cell in cells])
