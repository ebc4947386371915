# Whole lines of predictions.

cdef class Press:
    """As the other: writes whole lines."""

    cdef Memory _memory
    cdef object _time_text, _outputs_of, _beside
    cdef bytes _card, _prefix
    cdef long long _begun
    cdef list _outputs
    cdef tuple _latency, _margins
    cdef array.array _margin
    cdef object _confidence
    cdef bint _compared

    def __init__(
        self, Memory memory not None, *, time_text, outputs_of, beside, card, outputs, latency, confidence, compared
    ):
        self._memory = memory
        self._time_text, self._outputs_of, self._beside = time_text, outputs_of, beside
        self._card = b"" if card is None else b'"card":' + dumps(card) + b","
        self._begun, self._prefix = 1, b""
        self._outputs = [(name, array.array("d", edges), escaped_cells(cells)) for name, edges, cells in outputs]
        self._latency = None if latency is None else (array.array("d", latency[0]), escaped_cells(latency[1]))
        self._confidence, self._compared = confidence, compared
        if confidence.edges is not None and confidence.binary:
            self._margin = array.array("d", confidence.edges)
            self._margins = escaped_cells([f"{MARGIN}:{k}" for k in range(len(self._margin) + 1)])

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
        cdef Py_ssize_t begun
        cdef unsigned int crc
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
        begun = line.used + 9
        left = names.put_inputs(page, listed)
        if self._compared and names._size and not (record.truncated and "inputs" in record.truncated):
            crc = crc_of(line.data + begun, line.used - begun)
            put(line, b',"fingerprint":', 15)
            put_number(line, crc)
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
        if "scores" in <dict>outputs:
            for cell in self._confidence.bins(outputs):
                put_bytes(bins, dumps(cell) + b",")
        elif self._margin is not None and (score := (<dict>outputs).get("score")) is not None:
            if 0 <= <double>score <= 1:
                edges = self._margin
                cell = bisect_right(edges.data.as_doubles, 0, len(edges), fabs(2.0 * <double>score - 1.0))
                put_bytes(bins, (<tuple>self._margins)[cell])
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
