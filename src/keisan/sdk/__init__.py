"""sdk: the public, typed client of a platform and its gateway.

Here: one client per noun over HTTP; everything a caller may import is in __all__.
Not here: the shapes that cross the wire (wire) and the transport under it (kit).
"""

from keisan.domain.access import MachineKind, Role
from keisan.domain.advisory import Severity
from keisan.domain.alert import AlertKind
from keisan.domain.archive import AnalysisKey, ExportFormat
from keisan.domain.budget import PeriodKind
from keisan.domain.capacity import CapacityFigure, CapacityKey, CapacityKind
from keisan.domain.challenge import ChallengeFlag, ChallengeState, Workload
from keisan.domain.closing import ClosingState
from keisan.domain.compatibility import CompatibilityOutcome
from keisan.domain.cross_record import CrossState, RecordEnd
from keisan.domain.deduction import DeductionKind
from keisan.domain.delivery import DeliveryState
from keisan.domain.device import DeviceUse
from keisan.domain.errors import (
    AlreadyDecided,
    AlreadyExists,
    EngineUnavailable,
    IdempotencyMismatch,
    InvalidInput,
    KeisanError,
    LimitExceeded,
    NotFound,
    PermissionDenied,
    PlatformUnreachable,
    PreconditionRequired,
    ReceiptInvalid,
    RecordsArchived,
    Refused,
    SelfApproval,
    StateConflict,
    StorageUnavailable,
    TableInvalid,
    Unauthenticated,
    Unavailable,
    VersionMismatch,
)
from keisan.domain.evidence import Grade
from keisan.domain.fact import FactName
from keisan.domain.figure import Disclosure, FigureName, Precision
from keisan.domain.forecast import BudgetOutlook, ForecastMethod
from keisan.domain.history_question import HistoryGroup
from keisan.domain.maker import MakerPart
from keisan.domain.offer import OfferKind
from keisan.domain.organization import Billing
from keisan.domain.payout import PayoutOutcome
from keisan.domain.platform_ticket import CreditSide, PlatformTicketState
from keisan.domain.quarantine import QuarantineOutcome, QuarantineState, QuarantineVerdict
from keisan.domain.serving_challenge import ServingFlag, ServingState
from keisan.domain.settlement import SettlementState
from keisan.domain.statement import CloseOutcome, HolderKind
from keisan.domain.supernode_template import TemplateFactName
from keisan.domain.suspense import SuspenseOutcome, SuspenseState, SuspenseVerdict
from keisan.domain.top_up import TopUpKind, TopUpState
from keisan.domain.webhook import WebhookState
from keisan.sdk.client import AsyncKeisan, Connections, Keisan
from keisan.sdk.gateway import ChatMessage, ChatOptions
from keisan.sdk.statement_proof import verify_statement
from keisan.wire.account import AccountView
from keisan.wire.admission import AdmissionCreate, AdmissionView, PlatformTicketView
from keisan.wire.advisory import AdvisoryView
from keisan.wire.alert import AlertView
from keisan.wire.archive import AnalysisLineView, AnalysisQuery, ArchiveReach, ExportQuery, UsageAnalysis
from keisan.wire.budget import BudgetCreate, BudgetUpdate, BudgetView
from keisan.wire.call_limits import CallLimitsChange, CallLimitsView
from keisan.wire.capacity import CapacityLine, CapacityPlatform, CapacityView, TotalView
from keisan.wire.challenge import (
    ChallengesStarted,
    ChallengeStart,
    ChallengeView,
    VerifiedCapacityList,
    VerifiedCapacityView,
)
from keisan.wire.chip import (
    ChipDetail,
    ChipView,
    ComparedChipView,
    ComparedFigureView,
    ComparisonQuery,
    ComparisonView,
    FigureView,
    RatioView,
)
from keisan.wire.claim import ClaimView, ClaimWrite
from keisan.wire.compatibility import CompatibilityView
from keisan.wire.cross_receipt import (
    CrossReceiptView,
    is_cross_receipt,
    parse_cross_receipt,
    verify_cross_receipt,
)
from keisan.wire.deduction import DeductionCreate, DeductionView
from keisan.wire.delivery import DeliveryView
from keisan.wire.deployment import DeploymentCreate, DeploymentView
from keisan.wire.development import DevelopmentFigureView, DevelopmentView
from keisan.wire.device import DeviceUpdate, DeviceView
from keisan.wire.dispute import DisputeCreate, DisputeResolve, DisputeVerdict, DisputeView
from keisan.wire.door import DoorView
from keisan.wire.event import EventView
from keisan.wire.evidence import EvidenceView
from keisan.wire.exchange import ExchangeList, PlatformExchanges
from keisan.wire.facility import FacilityView, FacilityWrite, UploadAnswer
from keisan.wire.federation_check import FederationCheckView, FindingView
from keisan.wire.forecast import BudgetForecastView, ForecastQuery, ForecastRange, ForecastView
from keisan.wire.grant import GrantAsk, GrantTermsView, GrantView, WantView, WorkUpdate
from keisan.wire.history import HistoryFormat, HistoryHead, HistoryQuery, HistoryRows
from keisan.wire.invitation import InvitationCreate, InvitationCreated
from keisan.wire.key import KeyCreate, KeyCreated, KeyRevoked, KeyUpdate, KeyView
from keisan.wire.link_view import LinkApproval, LinkEnd, LinkJoin, LinkView
from keisan.wire.machine import GatewayList, GatewayView, JoinTokenCreate, JoinTokenCreated, MachineView
from keisan.wire.maker import MakerFactView, MakerView
from keisan.wire.model import ModelCreate, ModelView
from keisan.wire.node import NodeView
from keisan.wire.offer import OfferCreate, OfferView
from keisan.wire.organization import OrganizationCreate, OrganizationUpdate, OrganizationView
from keisan.wire.payout import PayoutAnswer, PayoutCreate, PayoutView
from keisan.wire.platform import HealthView, PlatformUpdate, PlatformView
from keisan.wire.policy import PolicyChipView, PolicyView
from keisan.wire.price import PriceCreate, PriceView
from keisan.wire.project import ProjectCreate, ProjectUpdate, ProjectView
from keisan.wire.provider import ProviderCreate, ProviderView
from keisan.wire.quarantine import QuarantineAnswer, QuarantinedContentView, QuarantinedRecordView, QuarantineJudge
from keisan.wire.receipt import ReceiptView, VerifiedReceipt, parse_receipt, verify_receipt
from keisan.wire.replica import ReplicaLog, ReplicaView
from keisan.wire.resolution import ResolutionView
from keisan.wire.serving_challenge import ServingChallengeStart, ServingChallengeView, ServingStepView
from keisan.wire.settlement_view import (
    CrossSumView,
    NetPositionView,
    PlatformDisputeView,
    PositionQuery,
    PositionsView,
    SettlementDetailView,
    SettlementView,
)
from keisan.wire.site import SiteCreate, SiteView
from keisan.wire.statement import (
    ClosingView,
    DraftView,
    PreviewQuery,
    SignedStatement,
    StatementClose,
    StatementDetail,
    StatementRecordView,
    StatementView,
)
from keisan.wire.supernode import SupernodeTemplateList, SupernodeTemplateView, TierTemplateView
from keisan.wire.survey import SurveyLineView, SurveyWithdraw, SurveyWithdrawn
from keisan.wire.suspense import SuspendedRecordView, SuspenseAnswer, SuspenseJudge
from keisan.wire.telemetry import (
    FrameCountsList,
    FrameCountsView,
    LiveDeviceList,
    LiveDeviceQuery,
    LiveDeviceView,
    RollUpList,
    RollUpUpdate,
    RollUpView,
    SumView,
)
from keisan.wire.top_up import TopUpCreate, TopUpView
from keisan.wire.usage import UsageLine, UsageQuery, UsageRecordView, UsageSummary
from keisan.wire.webhook import WebhookCreate, WebhookShown, WebhookUpdate, WebhookView

__all__ = [
    "AccountView",
    "AdmissionCreate",
    "AdmissionView",
    "AdvisoryView",
    "AlertKind",
    "AlertView",
    "AlreadyDecided",
    "AlreadyExists",
    "AnalysisKey",
    "AnalysisLineView",
    "AnalysisQuery",
    "ArchiveReach",
    "AsyncKeisan",
    "Billing",
    "BudgetCreate",
    "BudgetForecastView",
    "BudgetOutlook",
    "BudgetUpdate",
    "BudgetView",
    "CallLimitsChange",
    "CallLimitsView",
    "CapacityFigure",
    "CapacityKey",
    "CapacityKind",
    "CapacityLine",
    "CapacityPlatform",
    "CapacityView",
    "ChallengeFlag",
    "ChallengeStart",
    "ChallengeState",
    "ChallengeView",
    "ChallengesStarted",
    "ChatMessage",
    "ChatOptions",
    "ChipDetail",
    "ChipView",
    "ClaimView",
    "ClaimWrite",
    "CloseOutcome",
    "ClosingState",
    "ClosingView",
    "ComparedChipView",
    "ComparedFigureView",
    "ComparisonQuery",
    "ComparisonView",
    "CompatibilityOutcome",
    "CompatibilityView",
    "Connections",
    "CreditSide",
    "CrossReceiptView",
    "CrossState",
    "CrossSumView",
    "DeductionCreate",
    "DeductionKind",
    "DeductionView",
    "DeliveryState",
    "DeliveryView",
    "DeploymentCreate",
    "DeploymentView",
    "DevelopmentFigureView",
    "DevelopmentView",
    "DeviceUpdate",
    "DeviceUse",
    "DeviceView",
    "Disclosure",
    "DisputeCreate",
    "DisputeResolve",
    "DisputeVerdict",
    "DisputeView",
    "DoorView",
    "DraftView",
    "EngineUnavailable",
    "EventView",
    "EvidenceView",
    "ExchangeList",
    "ExportFormat",
    "ExportQuery",
    "FacilityView",
    "FacilityWrite",
    "FactName",
    "FederationCheckView",
    "FigureName",
    "FigureView",
    "FindingView",
    "ForecastMethod",
    "ForecastQuery",
    "ForecastRange",
    "ForecastView",
    "FrameCountsList",
    "FrameCountsView",
    "GatewayList",
    "GatewayView",
    "Grade",
    "GrantAsk",
    "GrantTermsView",
    "GrantView",
    "HealthView",
    "HistoryFormat",
    "HistoryGroup",
    "HistoryHead",
    "HistoryQuery",
    "HistoryRows",
    "HolderKind",
    "IdempotencyMismatch",
    "InvalidInput",
    "InvitationCreate",
    "InvitationCreated",
    "JoinTokenCreate",
    "JoinTokenCreated",
    "Keisan",
    "KeisanError",
    "KeyCreate",
    "KeyCreated",
    "KeyRevoked",
    "KeyUpdate",
    "KeyView",
    "LimitExceeded",
    "LinkApproval",
    "LinkEnd",
    "LinkJoin",
    "LinkView",
    "LiveDeviceList",
    "LiveDeviceQuery",
    "LiveDeviceView",
    "MachineKind",
    "MachineView",
    "MakerFactView",
    "MakerPart",
    "MakerView",
    "ModelCreate",
    "ModelView",
    "NetPositionView",
    "NodeView",
    "NotFound",
    "OfferCreate",
    "OfferKind",
    "OfferView",
    "OrganizationCreate",
    "OrganizationUpdate",
    "OrganizationView",
    "PayoutAnswer",
    "PayoutCreate",
    "PayoutOutcome",
    "PayoutView",
    "PeriodKind",
    "PermissionDenied",
    "PlatformDisputeView",
    "PlatformExchanges",
    "PlatformTicketState",
    "PlatformTicketView",
    "PlatformUnreachable",
    "PlatformUpdate",
    "PlatformView",
    "PolicyChipView",
    "PolicyView",
    "PositionQuery",
    "PositionsView",
    "Precision",
    "PreconditionRequired",
    "PreviewQuery",
    "PriceCreate",
    "PriceView",
    "ProjectCreate",
    "ProjectUpdate",
    "ProjectView",
    "ProviderCreate",
    "ProviderView",
    "QuarantineAnswer",
    "QuarantineJudge",
    "QuarantineOutcome",
    "QuarantineState",
    "QuarantineVerdict",
    "QuarantinedContentView",
    "QuarantinedRecordView",
    "RatioView",
    "ReceiptInvalid",
    "ReceiptView",
    "RecordEnd",
    "RecordsArchived",
    "Refused",
    "ReplicaLog",
    "ReplicaView",
    "ResolutionView",
    "Role",
    "RollUpList",
    "RollUpUpdate",
    "RollUpView",
    "SelfApproval",
    "ServingChallengeStart",
    "ServingChallengeView",
    "ServingFlag",
    "ServingState",
    "ServingStepView",
    "SettlementDetailView",
    "SettlementState",
    "SettlementView",
    "Severity",
    "SignedStatement",
    "SiteCreate",
    "SiteView",
    "StateConflict",
    "StatementClose",
    "StatementDetail",
    "StatementRecordView",
    "StatementView",
    "StorageUnavailable",
    "SumView",
    "SupernodeTemplateList",
    "SupernodeTemplateView",
    "SurveyLineView",
    "SurveyWithdraw",
    "SurveyWithdrawn",
    "SuspendedRecordView",
    "SuspenseAnswer",
    "SuspenseJudge",
    "SuspenseOutcome",
    "SuspenseState",
    "SuspenseVerdict",
    "TableInvalid",
    "TemplateFactName",
    "TierTemplateView",
    "TopUpCreate",
    "TopUpKind",
    "TopUpState",
    "TopUpView",
    "TotalView",
    "Unauthenticated",
    "Unavailable",
    "UploadAnswer",
    "UsageAnalysis",
    "UsageLine",
    "UsageQuery",
    "UsageRecordView",
    "UsageSummary",
    "VerifiedCapacityList",
    "VerifiedCapacityView",
    "VerifiedReceipt",
    "VersionMismatch",
    "WantView",
    "WebhookCreate",
    "WebhookShown",
    "WebhookState",
    "WebhookUpdate",
    "WebhookView",
    "WorkUpdate",
    "Workload",
    "is_cross_receipt",
    "parse_cross_receipt",
    "parse_receipt",
    "verify_cross_receipt",
    "verify_receipt",
    "verify_statement",
]
