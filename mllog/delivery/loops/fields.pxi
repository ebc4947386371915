# The fields of a record, and its two quick looks at what a caller gives.

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
