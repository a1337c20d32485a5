def compare(pool, by_days, drawn, empty):
    return []
