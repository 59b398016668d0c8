"""What every group of settings is made from: frozen, from flags, the environment and `<state dir>/config.toml`."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource


class Group(BaseSettings):
    """A frozen group; unknown variables are other programs' business, an empty one counts as not set."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True, populate_by_name=True)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags (init) before environment before config.toml."""
        del dotenv_settings, file_secret_settings
        toml = TomlConfigSettingsSource(settings_cls, toml_file=StatePlace().state_dir / "config.toml")
        return (init_settings, env_settings, toml)


class StatePlace(BaseSettings):
    """Where this installation keeps its files."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True, populate_by_name=True)

    state_dir: Path = Field(
        default=Path(".standfast"), validation_alias="STANDFAST_STATE_DIR", description="folder of keys, logs and embedded servers"
    )
