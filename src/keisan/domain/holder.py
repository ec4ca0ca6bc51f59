"""A holder: an organization, one of its projects, or one of that project's keys, for whom credit is set aside."""

from dataclasses import dataclass
from uuid import UUID

from keisan.domain.ids import KeyId, OrganizationId, ProjectId


@dataclass(frozen=True, slots=True)
class Holder:
    """The finest of the three that is named; those above it are its path."""

    organization_id: OrganizationId
    project_id: ProjectId | None = None
    key_id: KeyId | None = None

    @property
    def id(self) -> UUID:
        """Return the id of the finest that is named."""
        return self.key_id or self.project_id or self.organization_id

    @property
    def path(self) -> tuple[UUID, ...]:
        """Return the ids of all that are named, the finest first."""
        named = (self.key_id, self.project_id, self.organization_id)
        return tuple(each for each in named if each is not None)

    def is_over(self, other: "Holder") -> bool:
        """Tell whether what the other one spends is this one's too."""
        return (
            self.organization_id == other.organization_id
            and self.project_id in (None, other.project_id)
            and self.key_id in (None, other.key_id)
        )
