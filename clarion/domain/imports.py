"""How a file of people, or of cases, is to be read, as whoever sent it said."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class ImportOptions(BaseModel):
    """Choices for one file. Every one may be left out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    columns: dict[str, str] = Field(
        default_factory=dict,
        description="column → what it means (`domain.columns`), before what its name says",
    )
    country: str | None = Field(
        default=None, description="alpha-2; national numbers of rows without a country; else the workspace's"
    )
    scheme: str = Field(
        default="tel", description="what a column of telephone numbers reaches: tel or whatsapp"
    )
    groups: tuple[str, ...] = Field(default=(), description="groups that everybody in the file joins")
    create_fields: bool = Field(default=False, description="columns that are unknown become text fields")
    case_type: str | None = Field(
        default=None, description='the file is of cases of this type; "": each row says its own'
    )
    encoding: str | None = Field(default=None, description="of CSV and JSON; absent: the mark, else UTF-8")
    sheet: str | None = Field(default=None, description="of a workbook; absent: the first")
    remove_file: bool = Field(default=False, description="the file is ours: delete it when all is done")
