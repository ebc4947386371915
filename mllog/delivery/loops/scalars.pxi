# What a value is, told by the address of its type; inputs that are all scalars, and those sorted by type.

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
