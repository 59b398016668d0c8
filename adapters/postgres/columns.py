"""What every table is made of: the class all tables derive from, and columns exactly as the migrations make them."""

import re
from typing import Any, cast

from sqlalchemy.orm import declared_attr
from sqlalchemy.types import TypeEngine
from sqlmodel import Field, SQLModel


def column(kind: TypeEngine[Any], *, primary_key: bool = False, nullable: bool = False) -> Any:  # noqa: ANN401  # a default of any field
    """Return a column exactly as the migration makes it."""
    # SQLModel takes a type's instance, and declares that it takes a class.
    return Field(default=None, primary_key=primary_key, nullable=nullable, sa_type=cast("Any", kind))


def _name_table(owner: type[SQLModel]) -> str:
    """Return the class's name in snake case."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", owner.__name__).lower()


class Table(SQLModel):
    """A table; its name is the class's in snake case."""

    __tablename__ = declared_attr.directive(_name_table)  # pyright: ignore[reportAssignmentType]  # SQLModel types its own more narrowly than SQLAlchemy reads it
