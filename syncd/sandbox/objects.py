"""The standard objects, as a plain org has them.

Contact, Lead and Account follow the describes recorded by CumulusCI (names, labels, lengths, what may be written);
HasOptedOutOfEmail, which that org hides, and Task follow the object reference of Salesforce's docs.
"""

from functools import partial

from syncd.sandbox.schema import Field, SObject, sobject

COUNTRY_NAMES = 80

text = partial(Field, type="string")
phone = partial(Field, type="phone", length=40)
email = partial(Field, type="email", length=80)
url = partial(Field, type="url", length=255)
flag = partial(Field, type="boolean", nillable=False, default=False)
date = partial(Field, type="date")
moment = partial(Field, type="datetime")
area = partial(Field, type="textarea")
picklist = partial(Field, type="picklist", length=255)


def link(name: str, label: str, *refers_to: str, createable: bool = True, updateable: bool = True) -> Field:
    return Field(name, "reference", label, 18, createable, updateable, refers_to=refers_to)


def system(column: Field) -> Field:
    """Set by Salesforce alone."""
    return Field(
        column.name,
        column.type,
        column.label,
        column.length,
        createable=False,
        updateable=False,
        nillable=column.nillable,
        default=column.default,
        refers_to=column.refers_to,
    )


def common(name: str, *owners: str) -> tuple[Field, ...]:
    return (
        Field("Id", "id", f"{name} ID", 18, createable=False, updateable=False, nillable=False, id_lookup=True),
        system(flag("IsDeleted", label="Deleted")),
        Field("OwnerId", "reference", "Owner ID", 18, nillable=False, default="", refers_to=owners or ("User",)),
        system(moment("CreatedDate", label="Created Date", nillable=False)),
        system(Field("CreatedById", "reference", "Created By ID", 18, nillable=False, refers_to=("User",))),
        system(moment("LastModifiedDate", label="Last Modified Date", nillable=False)),
        system(Field("LastModifiedById", "reference", "Last Modified By ID", 18, nillable=False, refers_to=("User",))),
        system(moment("SystemModstamp", label="System Modstamp", nillable=False)),
    )


def person(name: str) -> tuple[Field, ...]:
    """What Contact and Lead share."""
    return (
        *common(name, *(("Group", "User") if name == "Lead" else ("User",))),
        link("MasterRecordId", "Master Record ID", name, createable=False, updateable=False),
        text("LastName", label="Last Name", length=80, nillable=False),
        text("FirstName", label="First Name", length=40),
        picklist("Salutation", label="Salutation", length=40, values=("Mr.", "Ms.", "Mrs.", "Dr.", "Prof.")),
        system(text("Name", label="Full Name", length=121, nillable=False)),
        text("Title", label="Title", length=128),
        phone("Phone", label="Business Phone" if name == "Contact" else "Phone"),
        phone("MobilePhone", label="Mobile Phone"),
        phone("Fax", label="Business Fax" if name == "Contact" else "Fax"),
        email("Email", label="Email", id_lookup=True),
        picklist("LeadSource", label="Lead Source", values=("Web", "Phone Inquiry", "Partner Referral", "Other")),
        area("Description", label="Contact Description" if name == "Contact" else "Description", length=32000),
        flag("HasOptedOutOfEmail", label="Email Opt Out"),
        system(date("LastActivityDate", label="Last Activity")),
    )


def contact() -> SObject:
    return sobject(
        "Contact",
        "003",
        *person("Contact"),
        link("AccountId", "Account ID", "Account"),
        text("Department", label="Department", length=80),
        text("MailingCity", label="Mailing City", length=40),
        text("MailingCountry", label="Mailing Country", length=COUNTRY_NAMES),
        date("Birthdate", label="Birthdate"),
        text("EmailBouncedReason", label="Email Bounced Reason", length=255),
        moment("EmailBouncedDate", label="Email Bounced Date"),
        system(flag("IsEmailBounced", label="Is Email Bounced")),
        system(flag("IsPersonAccount", label="Is Person Account")),
    )


LEAD_STATUS = ("Open - Not Contacted", "Working - Contacted", "Closed - Converted", "Closed - Not Converted")


def lead() -> SObject:
    """The two bounce fields may be updated but not given at creation (recorded: CumulusCI, describe of Lead)."""
    return sobject(
        "Lead",
        "00Q",
        *person("Lead"),
        text("Company", label="Company", length=255, nillable=False),
        text("City", label="City", length=40),
        text("Country", label="Country", length=COUNTRY_NAMES),
        url("Website", label="Website"),
        picklist("Status", label="Status", nillable=False, default=LEAD_STATUS[0], values=LEAD_STATUS),
        flag("IsConverted", label="Converted", updateable=False),
        system(date("ConvertedDate", label="Converted Date")),
        system(link("ConvertedAccountId", "Converted Account ID", "Account")),
        system(link("ConvertedContactId", "Converted Contact ID", "Contact")),
        system(link("ConvertedOpportunityId", "Converted Opportunity ID", "Opportunity")),
        flag("IsUnreadByOwner", label="Unread By Owner"),
        text("EmailBouncedReason", label="Email Bounced Reason", length=255, createable=False),
        moment("EmailBouncedDate", label="Email Bounced Date", createable=False),
    )


def account() -> SObject:
    return sobject(
        "Account",
        "001",
        *common("Account"),
        link("MasterRecordId", "Master Record ID", "Account", createable=False, updateable=False),
        text("Name", label="Account Name", length=255, nillable=False),
        picklist(
            "Type",
            label="Account Type",
            length=40,
            values=("Prospect", "Customer - Direct", "Channel Partner", "Other"),
        ),
        link("ParentId", "Parent Account ID", "Account"),
        text("BillingCity", label="Billing City", length=40),
        text("BillingCountry", label="Billing Country", length=COUNTRY_NAMES),
        phone("Phone", label="Account Phone"),
        url("Website", label="Website"),
        picklist(
            "Industry", label="Industry", length=40, values=("Agriculture", "Apparel", "Banking", "Biotechnology")
        ),
        Field("NumberOfEmployees", "int", "Employees"),
        Field("AnnualRevenue", "currency", "Annual Revenue"),
        area("Description", label="Account Description", length=32000),
        system(date("LastActivityDate", label="Last Activity")),
        system(flag("IsPersonAccount", label="Is Person Account")),
        system(link("PersonContactId", "Contact ID", "Contact")),
        # a person account's own, empty on any other (object reference of Account)
        email("PersonEmail", label="Email", id_lookup=False),
        flag("PersonHasOptedOutOfEmail", label="Email Opt Out"),
        text("PersonEmailBouncedReason", label="Email Bounced Reason", length=255),
        moment("PersonEmailBouncedDate", label="Email Bounced Date"),
        plural="Accounts",
    )


TASK_STATUS = ("Not Started", "In Progress", "Completed", "Waiting on someone else", "Deferred")
CLOSED_TASK_STATUS = frozenset({"Completed"})


def task() -> SObject:
    return sobject(
        "Task",
        "00T",
        *common("Activity", "Group", "User"),
        link("WhoId", "Name ID", "Contact", "Lead"),
        link("WhatId", "Related To ID", "Account", "Campaign", "Case", "Opportunity"),
        Field("Subject", "combobox", "Subject", 255, values=("Call", "Send Letter", "Send Quote", "Other")),
        date("ActivityDate", label="Due Date Only"),
        picklist("Status", label="Status", nillable=False, default=TASK_STATUS[0], values=TASK_STATUS, restricted=True),
        picklist(
            "Priority",
            label="Priority",
            nillable=False,
            default="Normal",
            values=("High", "Normal", "Low"),
            restricted=True,
        ),
        picklist("Type", label="Type", values=("Call", "Email", "Meeting", "Other")),
        picklist(
            "TaskSubtype",
            label="Task Subtype",
            updateable=False,
            default="Task",
            values=("Task", "Email", "List Email", "Cadence", "Call", "LinkedIn"),
            restricted=True,
        ),
        area("Description", label="Description", length=32000),
        system(link("AccountId", "Account ID", "Account")),
        system(flag("IsClosed", label="Closed")),
        system(flag("IsHighPriority", label="High Priority")),
        system(flag("IsArchived", label="Archived")),
        system(moment("CompletedDateTime", label="Completed Date")),
    )


def case() -> SObject:
    return sobject(
        "Case",
        "500",
        *common("Case", "Group", "User"),
        link("ContactId", "Contact ID", "Contact"),
        link("AccountId", "Account ID", "Account"),
        text("Subject", label="Subject", length=255),
        picklist("Status", label="Status", nillable=False, default="New", values=("New", "Working", "Closed")),
        area("Description", label="Description", length=32000),
    )


def user() -> SObject:
    return sobject(
        "User",
        "005",
        Field("Id", "id", "User ID", 18, createable=False, updateable=False, nillable=False, id_lookup=True),
        text("Username", label="Username", length=80, nillable=False),
        text("LastName", label="Last Name", length=80, nillable=False),
        text("FirstName", label="First Name", length=40),
        system(text("Name", label="Full Name", length=121, nillable=False)),
        email("Email", label="Email"),
        flag("IsActive", label="Active", default=True),
        writable=False,
    )


def task_status() -> SObject:
    return sobject(
        "TaskStatus",
        "01p",
        Field("Id", "id", "Task Status Value ID", 18, createable=False, updateable=False, nillable=False),
        text("MasterLabel", label="Master Label", length=255),
        text("ApiName", label="API Name", length=255),
        Field("SortOrder", "int", "Sort Order"),
        flag("IsDefault", label="Is Default"),
        flag("IsClosed", label="Is Closed"),
        plural="Task Status Value",
        writable=False,
    )


def key(name: str) -> Field:
    return Field("Id", "id", f"{name} ID", 18, createable=False, updateable=False, nillable=False)


def organization() -> SObject:
    """What is public in an org: its organization-wide defaults (object reference of Organization)."""
    return sobject(
        "Organization",
        "00D",
        key("Organization"),
        text("Name", label="Name", length=80),
        picklist("DefaultAccountAccess", label="Default Account Access", values=("None", "Read", "Edit")),
        picklist(
            "DefaultContactAccess",
            label="Default Contact Access",
            values=("None", "Read", "Edit", "ControlledByParent"),
        ),
        picklist("DefaultLeadAccess", label="Default Lead Access", values=("None", "Read", "Edit", "ReadEditTransfer")),
        writable=False,
    )


def user_permission_access() -> SObject:
    """One row: the permissions of who asks."""
    return sobject(
        "UserPermissionAccess",
        "1D3",
        key("User Permission Access"),
        flag("PermissionsViewAllData", label="View All Data"),
        flag("PermissionsModifyAllData", label="Modify All Data"),
        writable=False,
    )


def permission_set_assignment() -> SObject:
    return sobject(
        "PermissionSetAssignment",
        "0Pa",
        key("Permission Set Assignment"),
        link("AssigneeId", "Assignee ID", "User"),
        text("PermissionSetId", label="PermissionSet ID", length=18),
        writable=False,
    )


def object_permissions() -> SObject:
    return sobject(
        "ObjectPermissions",
        "110",
        key("Object Permissions"),
        text("ParentId", label="Parent ID", length=18),
        text("SobjectType", label="Object Type Name", length=40),
        flag("PermissionsViewAllRecords", label="View All Records"),
        flag("PermissionsModifyAllRecords", label="Modify All Records"),
        writable=False,
    )


def standard_objects() -> dict[str, SObject]:
    made: tuple[SObject, ...] = (account(), contact(), lead(), task(), case(), user(), task_status())
    made += (organization(), user_permission_access(), permission_set_assignment(), object_permissions())
    return {one.name: one for one in made}
