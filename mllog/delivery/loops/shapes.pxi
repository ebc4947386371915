# The shape of a text, as :mod:`mllog.shapes` has it.

cdef array.array LENGTHS = array.array("d", LENGTH_EDGES)
cdef array.array STARTS = array.array("i", [start for start, _ in BLOCKS])
cdef array.array SCRIPT_OF = array.array("i", [script for _, script in BLOCKS])
cdef int MOST_LETTERS = LETTERS
cdef int MARKED_LATIN = 0xC2  # first byte of a sequence of UTF-8, as Latin-1 shows it


cdef struct Look:
    int length
    int script
    int marks


cdef class Drawn:
    """Bins of one text feature's shape: as they are called, and as JSON."""

    cdef tuple lengths, scripts, marks, escaped_lengths, escaped_scripts, escaped_marks

    def __init__(self, shape):
        self.lengths, self.scripts, self.marks = shape.lengths, shape.scripts, shape.marks
        self.escaped_lengths = escaped_cells(shape.lengths)
        self.escaped_scripts = escaped_cells(shape.scripts)
        self.escaped_marks = escaped_cells(shape.marks)


def shape_of(str text not None):
    """As :func:`mllog.shapes.shape_of`."""
    cdef Look look
    look_at(text, &look)
    return PyUnicode_GET_LENGTH(text), look.script, look.marks


cdef int look_at(object text, Look* look) except -1:
    """Bins of length, script and marks."""
    cdef Py_ssize_t size = PyUnicode_GET_LENGTH(text)
    cdef Py_ssize_t k
    cdef const unsigned char* data
    look.length = bisect_right(LENGTHS.data.as_doubles, 0, len(LENGTHS), <double>size)
    look.script = look.marks = 0
    if not PyUnicode_IS_ASCII(text):
        return look_beyond_ascii(text, look)
    data = <const unsigned char*>PyUnicode_DATA(text)
    for k in range(size):
        if 0x41 <= data[k] & 0xDF <= 0x5A:
            look.script = 1
            break
    return 0


cdef int look_beyond_ascii(object text, Look* look) except -1:
    cdef int[16] counts
    cdef int script, low = 0, high, middle, most = 0, letters = 0
    cdef int start = 0, stop = 0, here = 0
    cdef Py_ssize_t k
    cdef Py_UCS4 char, before = 0
    cdef bint suspicious = False
    cdef int* starts = STARTS.data.as_ints
    cdef int kind = PyUnicode_KIND(text)
    cdef void* data = PyUnicode_DATA(text)
    for script in range(16):
        counts[script] = 0
    for k in range(PyUnicode_GET_LENGTH(text)):
        char = PyUnicode_READ(kind, data, k)
        # What may be a mark; only these need the patterns.
        if char >= 0x80 and (
            MARKED_LATIN <= <int>before <= 0xF0
            or 0x231A <= char <= 0x2B55
            or char == 0xFFFD
            or char == 0xFE0F
            or char >= 0x1F000
        ):
            suspicious = True
        before = char
        if letters < MOST_LETTERS and Py_UNICODE_ISALPHA(char):
            if not start <= <int>char < stop:
                low, high = 0, len(STARTS)
                while low < high:
                    middle = (low + high) // 2
                    if <int>char < starts[middle]:
                        high = middle
                    else:
                        low = middle + 1
                here = SCRIPT_OF.data.as_ints[low - 1]
                start = starts[low - 1]
                stop = starts[low] if low < len(STARTS) else 0x110000
            counts[here] += 1
            letters += 1
    for script in range(16):
        if counts[script] > most:
            look.script, most = script, counts[script]
    if suspicious:
        look.marks = marks_of(text)
    return 0


cdef inline bint is_withheld(object text):
    return PyUnicode_GET_LENGTH(text) == 1 and PyUnicode_READ_CHAR(text, 0) == 0x2026


cdef int put_shape(Buffer* bins, Drawn drawn, object text) except -1:
    """Bins as JSON, each with a comma."""
    cdef Look look
    if is_withheld(text):
        return 0
    look_at(text, &look)
    put_bytes(bins, <bytes>item(drawn.escaped_lengths, look.length))
    put_bytes(bins, <bytes>item(drawn.escaped_scripts, look.script))
    return put_bytes(bins, <bytes>item(drawn.escaped_marks, look.marks))


cdef int add_shape(list bins, Drawn drawn, object text) except -1:
    """Bins by name."""
    cdef Look look
    if is_withheld(text):
        return 0
    look_at(text, &look)
    bins.append(<object>item(drawn.lengths, look.length))
    bins.append(<object>item(drawn.scripts, look.script))
    bins.append(<object>item(drawn.marks, look.marks))
    return 0
