"""What objects and fields say of themselves: the keys and their values as in the describes recorded by CumulusCI."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from syncd.sandbox.schema import Field, SObject

Json = dict[str, Any]

SOAP_TYPES = {
    "boolean": "xsd:boolean",
    "int": "xsd:int",
    "double": "xsd:double",
    "currency": "xsd:double",
    "percent": "xsd:double",
    "date": "xsd:date",
    "datetime": "xsd:dateTime",
    "id": "tns:ID",
    "reference": "tns:ID",
}
PERSON_NAME = frozenset({"FirstName", "LastName", "Salutation", "Name"})
NOT_PERMISSIONABLE = frozenset({"FirstName", "Salutation", "EmailBouncedReason", "EmailBouncedDate"})
"""Field-level security has no say over these (recorded: Contact and Lead)."""
TEXT = frozenset({"string", "email", "phone", "url", "textarea", "picklist", "combobox"})


def field(column: "Field") -> Json:
    text = column.type in TEXT
    number = column.type in ("double", "currency", "percent")
    defaulted = column.default is not None or not (column.nillable or column.createable or column.name == "Name")
    polymorphic = len(column.refers_to) > 1
    custom_reference = column.custom and column.type == "reference"
    return {
        "aggregatable": column.filterable and column.type != "boolean",
        "aiPredictionField": False,
        "autoNumber": False,
        "byteLength": column.length * 3 if text else column.length,
        "calculated": False,
        "calculatedFormula": None,
        "cascadeDelete": False,
        "caseSensitive": False,
        "compoundFieldName": "Name" if column.name in PERSON_NAME - {"Name"} else None,
        "controllerName": None,
        "createable": column.createable,
        "custom": column.custom,
        "defaultValue": column.default if column.type in ("boolean", "picklist") else None,
        "defaultValueFormula": None,
        "defaultedOnCreate": defaulted,
        "dependentPicklist": False,
        "deprecatedAndHidden": False,
        "digits": 8 if column.type == "int" else 0,
        "displayLocationInDecimal": False,
        "encrypted": False,
        "externalId": column.external_id,
        "extraTypeInfo": _extra(column),
        "filterable": column.filterable,
        "filteredLookupInfo": None,
        "formulaTreatNullNumberAsZero": False,
        "groupable": column.filterable and column.type not in ("datetime", "double", "currency", "percent"),
        "highScaleNumber": False,
        "htmlFormatted": False,
        "idLookup": column.id_lookup or column.external_id,
        "inlineHelpText": None,
        "label": column.label,
        "length": column.length,
        "mask": None,
        "maskType": None,
        "name": column.name,
        "nameField": column.name == "Name",
        "namePointing": polymorphic,
        "nillable": column.nillable,
        "permissionable": column.nillable and column.updateable and column.name not in NOT_PERMISSIONABLE,
        "picklistValues": [_picklist_value(column, value) for value in column.values],
        "polymorphicForeignKey": polymorphic,
        "precision": 18 if number else 0,
        "queryByDistance": False,
        "referenceTargetField": None,
        "referenceTo": list(column.refers_to),
        "relationshipName": column.name[:-1] + "r" if custom_reference else _relationship(column),
        "relationshipOrder": None,
        "restrictedDelete": False,
        "restrictedPicklist": column.restricted,
        "scale": 0,
        "searchPrefilterable": False,
        "soapType": SOAP_TYPES.get(column.type, "xsd:string"),
        "sortable": column.filterable,
        "type": column.type,
        "unique": column.unique,
        "updateable": column.updateable,
        "writeRequiresMasterRead": False,
    }


def sobject(one: "SObject", version: str) -> Json:
    return {
        "actionOverrides": [],
        "childRelationships": [],
        "compactLayoutable": True,
        "fields": [field(column) for column in one.visible()],
        "listviewable": None,
        "lookupLayoutable": None,
        "namedLayoutInfos": [],
        "networkScopeFieldName": None,
        "recordTypeInfos": [],
        "searchLayoutable": True,
        "sobjectDescribeOption": "FULL",
        "supportedScopes": [{"label": f"All {one.plural.lower()}", "name": "everything"}],
        "defaultImplementation": None,
        "extendedBy": None,
        "extendsInterfaces": None,
        "implementedBy": None,
        "implementsInterfaces": None,
        **short(one, version),
    }


def short(one: "SObject", version: str) -> Json:
    """An object's entry in the global describe."""
    base = f"/services/data/{version}/sobjects/{one.name}"
    return {
        "activateable": False,
        "associateEntityType": None,
        "associateParentEntity": None,
        "createable": one.writable and one.createable,
        "custom": False,
        "customSetting": False,
        "deepCloneable": False,
        "deletable": one.writable,
        "deprecatedAndHidden": False,
        "feedEnabled": one.writable,
        "hasSubtypes": False,
        "isInterface": False,
        "isSubtype": False,
        "keyPrefix": one.prefix,
        "label": one.label,
        "labelPlural": one.plural,
        "layoutable": one.writable,
        "mergeable": one.name in ("Account", "Contact", "Lead"),
        "mruEnabled": one.writable,
        "name": one.name,
        "queryable": True,
        "replicateable": one.writable,
        "retrieveable": True,
        "searchable": one.writable,
        "triggerable": one.writable,
        "undeletable": one.writable,
        "updateable": one.writable,
        "urls": {"sobject": base, "describe": f"{base}/describe", "rowTemplate": f"{base}/{{ID}}"},
    }


def _picklist_value(column: "Field", value: str) -> Json:
    return {"active": True, "defaultValue": value == column.default, "label": value, "validFor": None, "value": value}


def _extra(column: "Field") -> str | None:
    if column.type == "textarea":
        return "plaintextarea"
    return "personname" if column.name in PERSON_NAME and column.label != "Account Name" else None


def _relationship(column: "Field") -> str | None:
    return column.name.removesuffix("Id") if column.type == "reference" else None
