//! The OpenAPI document says what is answered: every answer fits its schema, and has no key that it does not name.

use super::support::{Answer, Door, EDN, JSON, SQL};
use serde_json::{Value as Json, json};

struct Document(Json);

impl Document {
    fn resolve<'a>(&'a self, schema: &'a Json) -> &'a Json {
        match schema["$ref"].as_str() {
            Some(reference) => self.resolve(self.0.pointer(&reference[1..]).unwrap()),
            None => schema,
        }
    }

    /// What is wrong with a value; the subset of JSON Schema that the document uses.
    fn fault(&self, schema: &Json, value: &Json, at: &str) -> Option<String> {
        let schema = self.resolve(schema);
        if let Some(any) = schema["anyOf"].as_array() {
            let faults: Vec<Option<String>> =
                any.iter().map(|one| self.fault(one, value, at)).collect();
            return if faults.contains(&None) { None } else { faults.into_iter().next()? };
        }
        let types: Vec<&str> = match &schema["type"] {
            Json::String(one) => vec![one],
            Json::Array(all) => all.iter().filter_map(Json::as_str).collect(),
            _ => vec![],
        };
        let is = |ty: &str| match ty {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "integer" => value.is_i64(),
            "boolean" => value.is_boolean(),
            "null" => value.is_null(),
            other => panic!("{other}"),
        };
        if !types.is_empty() && !types.iter().any(|ty| is(ty)) {
            return Some(format!("{at}: {value} is no {types:?}"));
        }
        if let (Some(properties), Some(object)) =
            (schema["properties"].as_object(), value.as_object())
        {
            let required = schema["required"].as_array().cloned().unwrap_or_default();
            let missing = required.iter().find(|key| !object.contains_key(key.as_str().unwrap()));
            if let Some(key) = missing {
                return Some(format!("{at}: {key} is missing"));
            }
            return object.iter().find_map(|(key, value)| match properties.get(key) {
                Some(schema) => self.fault(schema, value, &format!("{at}/{key}")),
                None => Some(format!("{at}: {key} is not named")),
            });
        }
        if let (Some(length), Some(items)) = (schema["minItems"].as_u64(), value.as_array())
            && items.len() as u64 != length
        {
            return Some(format!("{at}: not {length} items"));
        }
        let items = value.as_array().filter(|_| !schema["items"].is_null())?;
        items.iter().find_map(|item| self.fault(&schema["items"], item, &format!("{at}/[]")))
    }

    /// The schema of an answer, by method, path and status.
    fn schema(&self, method: &str, path: &str, status: u16) -> &Json {
        let responses = &self.0["paths"][path][method]["responses"];
        let response = match &responses[status.to_string()] {
            Json::Null => &responses["default"],
            response => response,
        };
        &self.resolve(response)["content"]["application/json"]["schema"]
    }

    fn check(&self, method: &str, path: &str, answer: &Answer) {
        let schema = self.schema(method, path, answer.status);
        assert!(schema.is_object(), "{method} {path} {}: no schema", answer.status);
        let fault = self.fault(schema, &answer.json(), "");
        assert_eq!(fault, None, "{method} {path}: {}", answer.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_as_the_document_says() {
    let door = Door::open().await;
    let document = Document(door.get("//api/openapi.json", JSON).await.json());
    for (path, at) in [
        ("/api", "//api"),
        ("/api/{db}/basis", "/basis"),
        ("/api/{db}/basis", "/basis?as-of=999"),
        ("/api/{db}/basis", "/basis?as-of=4711"),
        ("/api/{db}/info", "/info"),
        ("/api/{db}/info", "/info?x=1"),
        ("/api/{db}/tx/{t}", "/tx/1001"),
        ("/api/{db}/tx/{t}", "/tx/9999"),
        ("/api/{db}/log", "/log"),
        ("/api/{db}/log", "/log?from=5000"),
        ("/api/{db}/entity/{id}", "/entity/4294967296"),
        ("/api/{db}/entity/{id}", "/entity/4999999999"),
        ("/api/{db}/tx-range", "/tx-range?start=1001"),
    ] {
        document.check("get", path, &door.get(at, JSON).await);
    }
    let op = "{:tx-data [{:db/id \"x\" :p/a 1}]";
    for (path, at, content, body) in [
        ("/api", "//api", EDN, "{:db-name \"music\"}".to_owned()),
        ("/api", "//api", EDN, "{:db-name \"music\"}".to_owned()),
        ("/api/{db}/transact", "/transact", EDN, format!("{op}}}")),
        ("/api/{db}/transact", "/transact", EDN, format!("{op} :author \"ada\" :reason \"\"}}")),
        ("/api/{db}/transact", "/transact", EDN, format!("{op} :idempotency-key \"k\"}}")),
        ("/api/{db}/transact", "/transact", EDN, "{:tx-data [[:db/add 7 :a 1]]}".to_owned()),
        ("/api/{db}/transact", "/transact", EDN, "{:tx-data [".to_owned()),
        ("/api/{db}/with", "/with", EDN, format!("{op}}}")),
        ("/api/{db}/with", "/with", EDN, format!("{op} :sql \"SELECT a FROM p\"}}")),
        ("/api/{db}/with", "/with", EDN, format!("{op} :query [:find ?a :where [_ :p/a ?a]]}}")),
        ("/api/{db}/query", "/query", EDN, "{:query [:find ?n :where [_ :item/n ?n]]}".to_owned()),
        (
            "/api/{db}/query",
            "/query",
            EDN,
            "{:query [:find ?n . :where [_ :item/o ?n]]}".to_owned(),
        ),
        ("/api/{db}/query", "/query", EDN, "{:query [:find ?x :where [_ :item/n ?n]]}".to_owned()),
        (
            "/api/{db}/explain",
            "/explain",
            EDN,
            "{:query [:find ?n :where [_ :item/n ?n]]}".to_owned(),
        ),
        ("/api/{db}/pull", "/pull", EDN, "{:selector [:item/n] :eid 4294967296}".to_owned()),
        ("/api/{db}/pull", "/pull", EDN, "{:selector [:item/n] :eids [4294967296 7]}".to_owned()),
        ("/api/{db}/datoms", "/datoms", EDN, "{:index :aevt :components [:item/n]}".to_owned()),
        ("/api/{db}/sql", "/sql", SQL, "SELECT n FROM item".to_owned()),
        ("/api/{db}/sql", "/sql", SQL, "SELECT nothing FROM item".to_owned()),
    ] {
        document.check("post", path, &door.post(at, content, JSON, &body).await);
    }
    // The check finds what is wrong.
    let schema = json!({"$ref": "#/components/schemas/Database"});
    for wrong in [
        json!({"db-name": "a", "t": 1}),
        json!({"db-name": 1, "t": 1, "next-t": 2}),
        json!({"db-name": "a", "t": 1, "next-t": 2, "more": 3}),
        json!([]),
    ] {
        assert!(document.fault(&schema, &wrong, "").is_some(), "{wrong}");
    }
    door.close().await;
}
