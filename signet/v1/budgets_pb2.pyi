import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class BudgetMeasure(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BUDGET_MEASURE_UNSPECIFIED: _ClassVar[BudgetMeasure]
    BUDGET_MEASURE_COST: _ClassVar[BudgetMeasure]
    BUDGET_MEASURE_TOKENS: _ClassVar[BudgetMeasure]
    BUDGET_MEASURE_REQUESTS: _ClassVar[BudgetMeasure]
    BUDGET_MEASURE_SECONDS: _ClassVar[BudgetMeasure]

class BudgetPeriod(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BUDGET_PERIOD_UNSPECIFIED: _ClassVar[BudgetPeriod]
    BUDGET_PERIOD_WHOLE: _ClassVar[BudgetPeriod]
    BUDGET_PERIOD_DAY: _ClassVar[BudgetPeriod]
    BUDGET_PERIOD_MONTH: _ClassVar[BudgetPeriod]

class UnknownPrice(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    UNKNOWN_PRICE_UNSPECIFIED: _ClassVar[UnknownPrice]
    UNKNOWN_PRICE_REFUSE: _ClassVar[UnknownPrice]
    UNKNOWN_PRICE_ALLOW: _ClassVar[UnknownPrice]
BUDGET_MEASURE_UNSPECIFIED: BudgetMeasure
BUDGET_MEASURE_COST: BudgetMeasure
BUDGET_MEASURE_TOKENS: BudgetMeasure
BUDGET_MEASURE_REQUESTS: BudgetMeasure
BUDGET_MEASURE_SECONDS: BudgetMeasure
BUDGET_PERIOD_UNSPECIFIED: BudgetPeriod
BUDGET_PERIOD_WHOLE: BudgetPeriod
BUDGET_PERIOD_DAY: BudgetPeriod
BUDGET_PERIOD_MONTH: BudgetPeriod
UNKNOWN_PRICE_UNSPECIFIED: UnknownPrice
UNKNOWN_PRICE_REFUSE: UnknownPrice
UNKNOWN_PRICE_ALLOW: UnknownPrice

class Budget(_message.Message):
    __slots__ = ("name", "subject", "measure", "period", "limit", "warn_at", "soft", "unknown_price", "used", "reserved", "reset_time", "warned", "create_time")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    MEASURE_FIELD_NUMBER: _ClassVar[int]
    PERIOD_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    WARN_AT_FIELD_NUMBER: _ClassVar[int]
    SOFT_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_PRICE_FIELD_NUMBER: _ClassVar[int]
    USED_FIELD_NUMBER: _ClassVar[int]
    RESERVED_FIELD_NUMBER: _ClassVar[int]
    RESET_TIME_FIELD_NUMBER: _ClassVar[int]
    WARNED_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    name: str
    subject: str
    measure: BudgetMeasure
    period: BudgetPeriod
    limit: int
    warn_at: int
    soft: bool
    unknown_price: UnknownPrice
    used: int
    reserved: int
    reset_time: _timestamp_pb2.Timestamp
    warned: bool
    create_time: _timestamp_pb2.Timestamp
    def __init__(self, name: _Optional[str] = ..., subject: _Optional[str] = ..., measure: _Optional[_Union[BudgetMeasure, str]] = ..., period: _Optional[_Union[BudgetPeriod, str]] = ..., limit: _Optional[int] = ..., warn_at: _Optional[int] = ..., soft: _Optional[bool] = ..., unknown_price: _Optional[_Union[UnknownPrice, str]] = ..., used: _Optional[int] = ..., reserved: _Optional[int] = ..., reset_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., warned: _Optional[bool] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class PutBudgetRequest(_message.Message):
    __slots__ = ("budget",)
    BUDGET_FIELD_NUMBER: _ClassVar[int]
    budget: Budget
    def __init__(self, budget: _Optional[_Union[Budget, _Mapping]] = ...) -> None: ...

class PutBudgetResponse(_message.Message):
    __slots__ = ("budget",)
    BUDGET_FIELD_NUMBER: _ClassVar[int]
    budget: Budget
    def __init__(self, budget: _Optional[_Union[Budget, _Mapping]] = ...) -> None: ...

class GetBudgetRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetBudgetResponse(_message.Message):
    __slots__ = ("budget",)
    BUDGET_FIELD_NUMBER: _ClassVar[int]
    budget: Budget
    def __init__(self, budget: _Optional[_Union[Budget, _Mapping]] = ...) -> None: ...

class ListBudgetsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListBudgetsResponse(_message.Message):
    __slots__ = ("budgets", "next_page_token")
    BUDGETS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    budgets: _containers.RepeatedCompositeFieldContainer[Budget]
    next_page_token: str
    def __init__(self, budgets: _Optional[_Iterable[_Union[Budget, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class DeleteBudgetRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class DeleteBudgetResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Freeze(_message.Message):
    __slots__ = ("frozen", "reason", "caller", "time")
    FROZEN_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    CALLER_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    frozen: bool
    reason: str
    caller: str
    time: _timestamp_pb2.Timestamp
    def __init__(self, frozen: _Optional[bool] = ..., reason: _Optional[str] = ..., caller: _Optional[str] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class SetFreezeRequest(_message.Message):
    __slots__ = ("frozen", "reason", "cut")
    FROZEN_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    CUT_FIELD_NUMBER: _ClassVar[int]
    frozen: bool
    reason: str
    cut: bool
    def __init__(self, frozen: _Optional[bool] = ..., reason: _Optional[str] = ..., cut: _Optional[bool] = ...) -> None: ...

class SetFreezeResponse(_message.Message):
    __slots__ = ("freeze",)
    FREEZE_FIELD_NUMBER: _ClassVar[int]
    freeze: Freeze
    def __init__(self, freeze: _Optional[_Union[Freeze, _Mapping]] = ...) -> None: ...

class GetFreezeRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetFreezeResponse(_message.Message):
    __slots__ = ("freeze",)
    FREEZE_FIELD_NUMBER: _ClassVar[int]
    freeze: Freeze
    def __init__(self, freeze: _Optional[_Union[Freeze, _Mapping]] = ...) -> None: ...
