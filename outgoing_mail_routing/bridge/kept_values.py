"""Values of many records, without a record made of each."""


def kept_values(records, names):
    """The values of fields by the id of the record, as the cache keeps them.

    To be compared, and to look records up by: that of a many2one is an id, and one that
    is empty is ``None``. What is not read yet is read, record by record.

    :param records: of any model, stored or not
    :param names: of fields that depend on no context
    :return: dict of tuples by id
    """
    columns = []
    for name in names:
        field = records._fields[name]
        for record in records.browse(tuple(field._cache_missing_ids(records))):
            _read = record[name]
        kept = field._get_cache(records.env)
        columns.append([kept[id_] for id_ in records._ids])
    return dict(zip(records._ids, zip(*columns, strict=True), strict=True))
