# Lists of names that were seen, and what the card says of each: which values are ordinary, and their bins.

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
        if self._absent is not None:
            put_bytes(line, self._absent)
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

    cdef readonly tuple names
    cdef readonly list absent
    cdef readonly list unexpected
    cdef list _texts
    cdef tuple _ordinary
    cdef array.array _targets

    def __init__(self, tuple names not None, *, numbers, strings, flags, texts, list absent, list unexpected):
        Names.__init__(self, names)
        self.names = names
        self.absent = absent
        self.unexpected = unexpected
        if absent:
            self._absent = b',"absent":' + dumps([values.strict(name) for name in absent])
        # Those that don't fit into UTF-8 must be marked.
        self._writable = self._writable and not unexpected and all([is_clean(name) for name in absent])
        position = {name: k for k, name in enumerate(names)}
        self._texts = [
            (
                name, dumps(values.strict(name)) + b":", position[name], sentinels, counter,
                None if shape is None else Drawn(shape),
            )
            for name, sentinels, counter, shape in texts
        ]
        steps = {name: (NUMBER, cells_of(points, cells)) for name, points, cells in numbers}
        steps |= {name: (STRING, ordinary) for name, ordinary in strings}
        steps |= {name: (FLAG, ordinary) for name, ordinary in flags}
        steps |= {name: (TEXT, None) for name, _, _, _ in texts}
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
        for name, escaped, place, sentinels, counter, drawn in self._texts:
            if page.targets[<Py_ssize_t>place] != TEXT:
                continue
            text = <object>page.given[<Py_ssize_t>place]
            if not is_clean(text) or is_blank(text) or (sentinels and category_key(text) in sentinels):
                return False
            familiar = counter.familiar
            total = 0
            strange = (text,) if counter.whole else (<Words?>familiar).tally(text, &total)
            if strange:
                counted, strange = counter.finish(total, strange)
                total = counted
                if strange:
                    unseen.append(strange)
            if drawn is not None:
                put_shape(&page.bins, <Drawn>drawn, text)
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
            self._read(inputs, texts, counts, unseen, bins, odd)
        return numbers, strings, flags, texts, counts, unseen, bins, odd

    cdef int _read(self, dict inputs, dict texts, dict counts, list unseen, list bins, list odd) except -1:
        """Texts, in the order in which tokens are named."""
        cdef Py_ssize_t before = len(odd)
        for name, _, _, sentinels, counter, drawn in self._texts:
            text = inputs[name]
            if PyUnicode_CheckExact(text) and not (sentinels and category_key(text) in sentinels):
                total, strange = counter.count(text)
                if total or not is_blank(text):
                    texts[name] = text
                    counts[name] = {"tokens": total, "unseen": len(strange)}
                    if drawn is not None:
                        add_shape(bins, <Drawn>drawn, text)
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
