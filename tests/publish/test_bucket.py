"""Each release in a bucket too: on a mounted disk in every run, on an S3-compatible server where `-m lake` asks."""

import itertools
import json

import duckdb
import lake_servers
import obstore
import pytest
from obstore.store import from_url

from pipelines.land import lake
from pipelines.publish import bucket, releases
from pipelines.publish.parquet import publish_parquet
from pipelines.publish.published_assets import is_published
from pipelines.settings import Settings

NUMBERS = itertools.count()
CANARY = "canary-of-the-bucket"


@pytest.fixture(params=["file", pytest.param("s3", marks=pytest.mark.lake)])
def settings(request, target, tmp_path):
    values = {"publish_to": f"file://{tmp_path / 'bucket'}"}
    if request.param == "s3":
        values = {
            "publish_to": f"s3://{lake_servers.BUCKET}/bucket-{next(NUMBERS)}",
            "publish_endpoint": lake_servers.object_store(),
            "publish_key_id": "testing",
            "publish_secret": CANARY,
        }
    return Settings(_env_file=None, data_dir=target.parent, **values)


@pytest.fixture
def publish(publish_once, target):
    """Publish all that is uploaded."""

    def make():
        published = publish_once()
        publish_parquet(target)
        releases.report_path(target).write_text(f"report {published.release_number}", encoding="utf-8")
        return published

    return make


def held(settings):
    """What the bucket holds: names and contents."""
    options = {"mkdir": True}
    if settings.publish_endpoint:
        keys = {"access_key_id": "testing", "secret_access_key": CANARY, "endpoint": settings.publish_endpoint}
        options = {"client_options": {"allow_http": True}} | keys
    store = from_url(settings.publish_to, **options)
    names = [meta["path"] for batch in obstore.list(store) for meta in batch]
    return {name: bytes(obstore.get(store, name).bytes()) for name in names}


def numbers(found):
    return sorted({int(name.split("/")[1].split("-")[1]) for name in found if name.startswith("releases/")})


def test_the_pointer_names_a_release_that_is_whole_and_a_failed_upload_is_tried_again(publish, target, settings):
    publish()
    assert bucket.upload(settings) is None
    before = held(settings)
    second = publish()
    inputs = releases.read_manifest(target).releases[0].inputs
    report = releases.report_path(target)
    aside = report.rename(report.with_suffix(".aside"))
    report.mkdir()  # nothing that can be uploaded

    trouble = bucket.upload(settings)

    assert trouble.startswith(f"Release 2 is not in {settings.publish_to} (")
    broken_off = held(settings)
    assert {name: broken_off[name] for name in before} == before
    assert bucket.trouble(settings) == trouble
    report.rmdir()
    aside.rename(report)
    assert not is_published(settings, inputs)

    assert bucket.upload(settings) is None

    assert is_published(settings, inputs)
    elsewhere = settings.model_copy(update={"publish_to": f"{settings.publish_to}-elsewhere"})
    assert not is_published(elsewhere, inputs)
    found = held(settings)
    pointer = json.loads(found["latest.json"])
    assert (pointer["release_number"], pointer["sha256"]) == (2, second.checksum)
    assert found[pointer["file"]] == found["analytics.duckdb"] == target.read_bytes()
    assert found["analytics_report.html"] == found[f"{pointer['folder']}/analytics_report.html"] == b"report 2"
    assert {f"{pointer['folder']}/parquet/{table}.parquet" for table in second.row_counts} <= found.keys()
    assert numbers(found) == [1, 2]

    releases.forget_older(target)  # as after a customer was erased
    assert bucket.upload(settings) is None
    assert numbers(held(settings)) == [2]


@pytest.mark.lake
@pytest.mark.parametrize("settings", ["s3"], indirect=True)
def test_the_bucket_is_read_by_address_and_refusals_tell_no_secret(publish, settings):
    boto3 = pytest.importorskip("boto3")
    publish()
    assert bucket.upload(settings) is None
    address = settings.publish_to.replace("s3://", f"{settings.publish_endpoint}/")
    keys = {"aws_access_key_id": "testing", "aws_secret_access_key": CANARY, "region_name": "us-east-1"}
    name = f"{settings.publish_to.rpartition('/')[2]}/analytics.duckdb"
    owner = boto3.client("s3", endpoint_url=settings.publish_endpoint, **keys)
    owner.put_object_acl(Bucket=lake_servers.BUCKET, Key=name, ACL="public-read")
    with duckdb.connect() as reader:
        lake._load(reader, "httpfs")
        reader.execute(f"attach '{address}/analytics.duckdb' as figures (read_only)")
        assert reader.execute("select release_number from figures.about").fetchall() == [(1,)]
        reader.execute(
            f"create secret (type s3, key_id 'testing', secret '{CANARY}', url_style 'path', use_ssl false,"
            f" endpoint '{settings.publish_endpoint.removeprefix('http://')}')"
        )
        reader.execute(f"attach '{settings.publish_to}/analytics.duckdb' as kept (read_only)")
        parquet = f"{settings.publish_to}/releases/*/parquet/businesses.parquet"
        same = "select count(*) from kept.businesses except select count(*) from read_parquet($1)"
        assert reader.execute(same, [parquet]).fetchall() == []

    wrong = {
        "there is no such bucket, or a file of the release is missing here, NoSuchBucket": {
            "publish_to": "s3://no-such-bucket/x"
        }
    }
    wrong |= {"GenericError: nothing more is known": {"publish_endpoint": "http://127.0.0.1:9"}}
    for reason, change in wrong.items():
        trouble = bucket.upload(settings.model_copy(update=change))
        assert f" ({reason})" in trouble
        assert CANARY not in trouble


@pytest.mark.parametrize("address", ["bucket", "http://store/x", "https://store/x", "s3://key@bucket", "s3://b?key=1"])
def test_an_address_that_is_no_bucket_is_refused(address):
    with pytest.raises(ValueError, match="must be s3://"):
        Settings(_env_file=None, publish_to=address)
